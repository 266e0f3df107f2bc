{#-
Posts of Bluesky that still stand, one row each: the stream and search give versions of
the same post, a delete ends those before it, and an account that is gone or hidden takes
all of its posts along.
-#}

with

versions as (
    select * from {{ ref('stg_bluesky__posts') }}
),

deletions as (
    select * from {{ ref('stg_bluesky__deletions') }}
),

accounts as (
    select * from {{ ref('stg_bluesky__accounts') }}
),

last_deletions as (
    select
        post_id,
        max(revision) as revision,
        max(deleted_at) as deleted_at,
    from deletions
    group by post_id
),

hidden_authors as (
    select author_id
    from accounts
    qualify
        row_number() over (
            partition by author_id
            order by changed_at desc, is_hidden desc, content_key asc
        ) = 1
        and is_hidden
),

{#- What an account held when it was deleted does not come back with it. -#}
deleted_authors as (
    select
        author_id,
        max(changed_at) as deleted_at,
    from accounts
    where is_deleted
    group by author_id
),

{#- Revisions are the author's, the same on every host; times are the host's. -#}
standing as (
    select versions.*
    from versions
    left join last_deletions on versions.post_id = last_deletions.post_id
    left join deleted_authors on versions.author_id = deleted_authors.author_id
    where
        not coalesce(
            case
                when versions.revision is null or last_deletions.revision is null
                    then last_deletions.deleted_at >= versions.seen_at
                else last_deletions.revision >= versions.revision
            end,
            false
        )
        and not coalesce(deleted_authors.deleted_at >= versions.seen_at, false)
        and versions.author_id not in (
            select each.author_id from hidden_authors as each
        )
),

dated as (
    select
        *,
        case when road = 'stream' then seen_at else last_fetched_at end as version_at,
    from standing
),

counted as (
    select
        *,
        min(posted_at) over (partition by post_id) as first_posted_at,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
        max(last_fetched_at) over (partition by post_id) as post_last_fetched_at,
        min(version_id) over (partition by post_id)
        != max(version_id) over (partition by post_id)
        or bool_or(is_update) over (partition by post_id) as is_edited,
    from dated
),

{#- Only search tells counts and names. -#}
last_snapshots as (
    select *
    from dated
    where road = 'search'
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

currents as (
    select *
    from counted
    qualify
        row_number() over (
            partition by post_id
            order by version_at desc, road desc, content_key asc
        ) = 1
),

final as (
    select
        'bluesky' as platform,
        'bluesky' as source,
        cast(null as varchar) as dataset,
        currents.post_id,
        currents.post_id as original_post_id,
        currents.author_id,
        last_snapshots.author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        currents.first_posted_at as posted_at,
        currents.text,
        currents.platform_language,
        last_snapshots.like_count,
        last_snapshots.reply_count,
        last_snapshots.repost_count,
        last_snapshots.quote_count,
        cast(null as bigint) as view_count,
        false as is_repost,
        cast(null as varchar) as reposted_post_id,
        currents.replied_to_post_id is not null as is_reply,
        coalesce(currents.is_edited, false) as is_edited,
        cast(null as varchar) as withheld_reason,
        currents.url,
        currents.is_simulated,
        currents.post_first_fetched_at as first_fetched_at,
        currents.post_last_fetched_at as last_fetched_at,
        currents.content_key,
    from currents
    left join last_snapshots on currents.post_id = last_snapshots.post_id
)

select * from final
