{#- Sources that only live targets have, in the shape that int_posts__unioned joins. -#}

with

hits as (
    select * from {{ ref('stg_hackernews__hits') }}
),

items as (
    select * from {{ ref('stg_hackernews__items') }}
),

entries as (
    select * from {{ ref('stg_rss__entries') }}
),

reddit_submissions as (
    select * from {{ ref('stg_reddit__submissions') }}
),

reddit_comments as (
    select * from {{ ref('stg_reddit__comments') }}
),

reddit_entries as (
    select * from {{ ref('stg_reddit__feed_entries') }}
),

bluesky_posts as (
    select * from {{ ref('int_posts__from_bluesky') }}
),

hits_current as (
    select
        *,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
    from hits
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

items_current as (
    select
        *,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
    from items
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

hit_rows as (
    select
        post_id,
        last_fetched_at,
        hits_current as hit,
    from hits_current
),

item_rows as (
    select
        post_id,
        last_fetched_at,
        items_current as item,
    from items_current
),

{#- The search finds an item, its own page is read later; the later one counts. -#}
hackernews_joined as (
    select
        hit_rows.hit,
        item_rows.item,
        coalesce(hit_rows.post_id, item_rows.post_id) as post_id,
        coalesce(
            item_rows.last_fetched_at > hit_rows.last_fetched_at,
            hit_rows.post_id is null
        ) as is_item_newer,
    from hit_rows
    full join item_rows on hit_rows.post_id = item_rows.post_id
),

from_mastodon as (
    select * from {{ ref('int_posts__from_mastodon') }}
),

from_hackernews as (
    select
        'hackernews' as platform,
        'hackernews' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        coalesce(hit.author_id, item.author_id) as author_id,
        coalesce(hit.author_id, item.author_id) as author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        coalesce(hit.posted_at, item.posted_at) as posted_at,
        case
            when item.withheld_reason = 'deleted' then null
            else concat_ws(
                e'\n\n',
                coalesce(item.title, hit.title),
                coalesce(item.body, hit.body)
            )
        end as text,
        cast(null as varchar) as platform_language,
        case
            when is_item_newer then coalesce(item.points, hit.points)
            else coalesce(hit.points, item.points)
        end as like_count,
        case
            when is_item_newer then coalesce(item.comment_count, hit.comment_count)
            else coalesce(hit.comment_count, item.comment_count)
        end as reply_count,
        cast(null as bigint) as repost_count,
        cast(null as bigint) as quote_count,
        cast(null as bigint) as view_count,
        false as is_repost,
        cast(null as varchar) as reposted_post_id,
        coalesce(hit.kind, item.kind) = 'comment' as is_reply,
        false as is_edited,
        item.withheld_reason as withheld_reason,
        'https://news.ycombinator.com/item?id=' || post_id as url,
        coalesce(hit.is_simulated, item.is_simulated) as is_simulated,
        least(hit.post_first_fetched_at, item.post_first_fetched_at)
            as first_fetched_at,
        greatest(hit.last_fetched_at, item.last_fetched_at) as last_fetched_at,
        coalesce(hit.content_key, item.content_key) as content_key,
    from hackernews_joined
),

entry_versions as (
    select
        *,
        nullif(concat_ws(e'\n\n', title, body), '') as text,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
        min(concat_ws(e'\n\n', title, body)) over (partition by post_id)
        != max(concat_ws(e'\n\n', title, body)) over (partition by post_id)
            as is_edited,
    from entries
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

from_rss as (
    select
        'rss' as platform,
        'rss' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        {#- Names of authors mean something within their feed only. #}
        concat_ws('|', feed_name, author_name) as author_id,
        coalesce(author_name, feed_title) as author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        posted_at,
        text,
        platform_language,
        cast(null as bigint) as like_count,
        cast(null as bigint) as reply_count,
        cast(null as bigint) as repost_count,
        cast(null as bigint) as quote_count,
        cast(null as bigint) as view_count,
        false as is_repost,
        cast(null as varchar) as reposted_post_id,
        false as is_reply,
        is_edited,
        cast(null as varchar) as withheld_reason,
        url,
        is_simulated,
        post_first_fetched_at as first_fetched_at,
        last_fetched_at,
        content_key,
    from entry_versions
),

comments_current as (
    select
        *,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
    from reddit_comments
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

from_reddit_comments as (
    select
        'reddit' as platform,
        'reddit' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        author_id,
        author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        posted_at,
        body as text,
        cast(null as varchar) as platform_language,
        score as like_count,
        cast(null as bigint) as reply_count,
        cast(null as bigint) as repost_count,
        cast(null as bigint) as quote_count,
        cast(null as bigint) as view_count,
        false as is_repost,
        cast(null as varchar) as reposted_post_id,
        true as is_reply,
        is_edited,
        withheld_reason,
        url,
        is_simulated,
        post_first_fetched_at as first_fetched_at,
        last_fetched_at,
        content_key,
    from comments_current
),

{#- What the API gave is more than what a feed shows of it. -#}
reddit_entries_current as (
    select
        *,
        min(first_fetched_at) over (partition by post_id) as post_first_fetched_at,
        min(body) over (partition by post_id) != max(body) over (partition by post_id)
            as has_changed,
    from reddit_entries
    where
        post_id not in (select known.post_id from reddit_submissions as known)
        and post_id not in (select known.post_id from reddit_comments as known)
    qualify
        row_number() over (
            partition by post_id
            order by last_fetched_at desc, content_key asc
        ) = 1
),

from_reddit_entries as (
    select
        'reddit' as platform,
        'reddit' as source,
        cast(null as varchar) as dataset,
        post_id,
        post_id as original_post_id,
        author_name as author_id,
        author_name,
        cast(null as bigint) as author_followers_count,
        cast(null as bigint) as author_posts_count,
        cast(null as timestamptz) as author_created_at,
        posted_at,
        case when is_comment then body else nullif(concat_ws(e'\n\n', title, body), '')
        end as text,
        cast(null as varchar) as platform_language,
        cast(null as bigint) as like_count,
        cast(null as bigint) as reply_count,
        cast(null as bigint) as repost_count,
        cast(null as bigint) as quote_count,
        cast(null as bigint) as view_count,
        false as is_repost,
        cast(null as varchar) as reposted_post_id,
        is_comment as is_reply,
        coalesce(has_changed, false) as is_edited,
        cast(null as varchar) as withheld_reason,
        url,
        is_simulated,
        post_first_fetched_at as first_fetched_at,
        last_fetched_at,
        content_key,
    from reddit_entries_current
),

final as (
    select * from from_hackernews
    union all
    select * from from_rss
    union all
    select * from from_reddit_comments
    union all
    select * from from_reddit_entries
    union all
    select * from bluesky_posts
    union all
    select * from from_mastodon
)

select * from final
