{#- Statuses of Mastodon: one post a status, however many servers showed it. -#}

with

statuses as (
    select * from {{ ref('stg_mastodon__statuses') }}
),

deletions as (
    select * from {{ ref('stg_mastodon__deletions') }}
),

gone as (
    select
        statuses.post_id,
        max(deletions.deleted_at) as deleted_at,
    from statuses
    inner join deletions on statuses.record_id = deletions.record_id
    group by statuses.post_id
),

{#- A server may have dropped its copy of what others still show: the newest counts. -#}
still_there as (
    select statuses.*
    from statuses
    left join gone on statuses.post_id = gone.post_id
    qualify
        gone.deleted_at is null
        or max(statuses.last_fetched_at) over (partition by statuses.post_id)
        > gone.deleted_at
),

current_versions as (
    select
        * exclude (first_fetched_at, last_fetched_at, is_edited),
        min(still_there.first_fetched_at) over (partition by post_id)
            as first_fetched_at,
        max(still_there.last_fetched_at) over (partition by post_id) as last_fetched_at,
        bool_or(still_there.is_edited) over (partition by post_id) as is_edited,
    from still_there
    qualify
        row_number() over (
            partition by post_id
            order by
                edited_at desc nulls last,
                is_at_home desc,
                still_there.last_fetched_at desc,
                record_id asc,
                content_key asc
        ) = 1
),

final as (
    select
        'mastodon' as platform,
        'mastodon' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        author_id,
        coalesce(author_name, author_id) as author_name,
        author_followers_count,
        author_posts_count,
        author_created_at,
        posted_at,
        nullif(concat_ws(e'\n\n', content_warning, body), '') as text,
        platform_language,
        like_count,
        reply_count,
        repost_count,
        quote_count,
        cast(null as bigint) as view_count,
        is_repost,
        reposted_post_id,
        is_reply,
        is_edited,
        cast(null as varchar) as withheld_reason,
        url,
        is_simulated,
        first_fetched_at,
        last_fetched_at,
        content_key,
    from current_versions
)

select * from final
