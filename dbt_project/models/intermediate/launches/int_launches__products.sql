with launches as (
    select * from {{ ref('stg_producthunt__posts') }}
),

terms as (
    select * from {{ ref('terms') }}
),

current_launches as (
    select *
    from launches
    qualify
        row_number() over (
            partition by launch_id
            order by
                fetched_at desc, _load_id desc, _line_no desc, launch_snapshot_key asc
        ) = 1
),

-- "Acme for Slack" is mostly somebody else's: a name that holds more than a keyword and
-- a version means the product only where a term names the launch.
candidates as (
    select
        current_launches.launch_id,
        terms.product_id,
        case lower(trim(terms.kind)) when 'launch' then 1 else 2 end as priority,
    from current_launches
    inner join terms
        on
            (
                lower(trim(terms.kind)) = 'launch'
                and lower(trim(terms.term)) = current_launches.slug
            )
            or (
                lower(trim(terms.kind)) = 'keyword'
                and lower(trim(terms.term)) = regexp_replace(
                    lower(current_launches.launch_name), '\s+v?[0-9]+([.][0-9]+)*$', ''
                )
            )
),

matched as (
    select
        launch_id,
        min_by(product_id, (priority, product_id)) as product_id,
    from candidates
    group by launch_id
),

final as (
    select
        current_launches.launch_id,
        matched.product_id,
        current_launches.slug,
        current_launches.launch_name,
        current_launches.tagline,
        current_launches.url,
        current_launches.topics,
        current_launches.votes_count,
        current_launches.comments_count,
        current_launches.is_featured,
        current_launches.is_simulated,
        current_launches.launched_at,
        current_launches.fetched_at as last_fetched_at,
    from current_launches
    left join matched on current_launches.launch_id = matched.launch_id
)

select * from final
