{#-
Conservation, straight from raw: every post that was fetched, and neither forgotten nor
taken back where its platform tells so, is one row of fct_posts, an edited one under its
newest id, and there is no other row.
-#}

with

facts as (
    select
        post_key,
        source,
    from {{ ref('fct_posts') }}
),

x_records as (
    select
        record_id,
        list_distinct(
            flatten(
                list(
                    list_append(
                        coalesce(
                            try_cast(payload -> 'edit_history_post_ids' as varchar[]),
                            try_cast(payload -> 'edit_history_tweet_ids' as varchar[]),
                            []
                        ),
                        record_id
                    )
                )
            )
        ) as versions,
    from {{ source('x', 'posts') }}
    where record_id not in ({{ forgotten_records('x', 'posts') }})
    group by record_id
),

x_chains as (
    select
        record_id,
        list_min(list_transform(versions, lambda id: lpad(id, 40, '0'))) as chain,
    from x_records
),

bluesky_records as (
    select distinct record_id
    from {{ source('bluesky', 'posts') }}
    where record_id not in ({{ forgotten_records('bluesky', 'posts') }})
),

{#- What was told of posts and accounts decides about these; another test looks. -#}
bluesky_undecided as (
    select record_id
    from bluesky_records
    where
        record_id in (
            select told.record_id from {{ source('bluesky', 'deletions') }} as told
        )
        or split_part(record_id, '/', 3) in (
            select told.record_id from {{ source('bluesky', 'accounts') }} as told
        )
),

expected as (
    select 'x:' || arg_max(record_id, lpad(record_id, 40, '0')) as post_key
    from x_chains
    group by chain
    union
    select 'reddit:' || record_id as post_key
    from {{ source('reddit', 'submissions') }}
    where record_id not in ({{ forgotten_records('reddit', 'submissions') }})
    union
    select 'hackernews:' || record_id as post_key
    from {{ source('hackernews', 'hits') }}
    where record_id not in ({{ forgotten_records('hackernews', 'hits') }})
    union
    select 'hackernews:' || record_id as post_key
    from {{ source('hackernews', 'items') }}
    where record_id not in ({{ forgotten_records('hackernews', 'items') }})
    union
    select 'reddit:' || record_id as post_key
    from {{ source('reddit', 'comments') }}
    where record_id not in ({{ forgotten_records('reddit', 'comments') }})
    union
    select 'reddit:' || record_id as post_key
    from {{ source('reddit', 'feed_entries') }}
    where record_id not in ({{ forgotten_records('reddit', 'feed_entries') }})
    union
    select 'bluesky:' || record_id as post_key
    from bluesky_records
    where record_id not in (select each.record_id from bluesky_undecided as each)
    union
    select 'rss:' || record_id as post_key
    from {{ source('rss', 'entries') }}
    where record_id not in ({{ forgotten_records('rss', 'entries') }})
    union
    select
        'mastodon:'
        || coalesce({{ filled("statuses.payload ->> '$.uri'") }}, statuses.record_id)
            as post_key
    from {{ source('mastodon', 'statuses') }} as statuses
    left join {{ source('mastodon', 'deletions') }} as deletions
        on statuses.record_id = deletions.record_id
    where
        statuses.record_id not in ({{ forgotten_records('mastodon', 'statuses') }})
    group by all
    having
        max(deletions.fetched_at) is null
        or max(statuses.fetched_at) > max(deletions.fetched_at)
    union
    select
        {{ platform_name(
            "payload ->> '$.platform'", "coalesce(payload ->> '$.dataset', 'unnamed')"
        ) }}
        || ':'
        || coalesce({{ filled("payload ->> '$.post_id'") }}, record_id) as post_key
    from {{ source('datasets', 'posts') }}
    where record_id not in ({{ forgotten_records('datasets', 'posts') }})
),

lost as (
    select
        expected.post_key,
        'fetched, but no fact' as problem,
    from expected
    where expected.post_key not in (select facts.post_key from facts)
),

invented as (
    select
        facts.post_key,
        'a fact, but never fetched' as problem,
    from facts
    where
        facts.post_key not in (select expected.post_key from expected)
        and facts.post_key not in (
            select 'bluesky:' || each.record_id from bluesky_undecided as each
        )
)

select * from lost
union all
select * from invented
