with repositories as (
    select * from {{ ref('stg_github__repositories') }}
),

terms as (
    select * from {{ ref('terms') }}
),

-- Of tracked repositories every fetch counts, of found ones the last.
current_repositories as (
    select
        repository_id,
        max_by(full_name, fetched_at) as full_name,
        max_by(owner_name, fetched_at) as owner_name,
        max_by(description, fetched_at) as description,
        max_by(programming_language, fetched_at) as programming_language,
        max_by(topics, fetched_at) as topics,
        max_by(url, fetched_at) as url,
        max_by(stars_count, fetched_at) as stars_count,
        max_by(forks_count, fetched_at) as forks_count,
        max_by(watchers_count, fetched_at) as watchers_count,
        max_by(open_issues_and_pulls_count, fetched_at) as open_issues_and_pulls_count,
        max_by(is_fork, fetched_at) as is_fork,
        max_by(is_archived, fetched_at) as is_archived,
        max_by(created_at, fetched_at) as created_at,
        max_by(pushed_at, fetched_at) as pushed_at,
        count(tracked_as) > 0 as is_tracked,
        max(fetched_at) as last_fetched_at,
        bool_or(is_simulated) as is_simulated,
    from repositories
    group by repository_id
),

names as (
    select
        repository_id,
        lower(full_name) as repository_name,
    from repositories
    union
    select
        repository_id,
        tracked_as as repository_name,
    from repositories
),

-- A name that two products claim is refused by the catalogue; two names of one
-- repository are not, so the first product by name takes it.
matched as (
    select
        names.repository_id,
        min(terms.product_id) as product_id,
    from names
    inner join terms on names.repository_name = lower(trim(terms.term))
    where lower(trim(terms.kind)) = 'repository'
    group by names.repository_id
),

final as (
    select
        current_repositories.repository_id,
        matched.product_id,
        current_repositories.full_name,
        current_repositories.owner_name,
        current_repositories.description,
        current_repositories.programming_language,
        current_repositories.topics,
        current_repositories.url,
        current_repositories.stars_count,
        current_repositories.forks_count,
        current_repositories.watchers_count,
        current_repositories.open_issues_and_pulls_count,
        current_repositories.is_tracked,
        current_repositories.is_fork,
        current_repositories.is_archived,
        current_repositories.is_simulated,
        current_repositories.created_at,
        current_repositories.pushed_at,
        current_repositories.last_fetched_at,
    from current_repositories
    left join matched
        on current_repositories.repository_id = matched.repository_id
)

select * from final
