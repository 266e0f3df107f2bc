{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('reddit', 'submissions') }}"
    )
}}

{% set shape = {
    'subreddit': 'VARCHAR',
    'title': 'VARCHAR',
    'selftext': 'VARCHAR',
    'author': 'VARCHAR',
    'author_fullname': 'VARCHAR',
    'created_utc': 'DOUBLE',
    'edited': 'DOUBLE',
    'score': 'BIGINT',
    'num_comments': 'BIGINT',
    'num_crossposts': 'BIGINT',
    'upvote_ratio': 'DOUBLE',
    'permalink': 'VARCHAR',
    'url': 'VARCHAR',
    'over_18': 'BOOLEAN',
    'is_self': 'BOOLEAN',
    'removed_by_category': 'VARCHAR',
    'crosspost_parent': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('reddit', 'submissions') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack("coalesce(payload -> '$.data', payload)", shape) }} as post,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        {#- An account that was deleted is nobody, not an author of that name. #}
        case
            when post.author = '[deleted]' then null
            else coalesce(
                {{ filled('post.author_fullname') }}, {{ filled('post.author') }}
            )
        end as author_id,
        nullif({{ filled('post.author') }}, '[deleted]') as author_name,
        post.subreddit as subreddit,
        {{ filled('post.crosspost_parent') }} as reposted_post_id,
        post.title as title,
        nullif(nullif({{ filled('post.selftext') }}, '[removed]'), '[deleted]') as body,
        {#- A score of votes up less votes down: it may be negative. #}
        {{ score_of('post.score') }} as score,
        post.upvote_ratio as upvote_ratio,
        {{ count_of('post.num_comments') }} as comment_count,
        {{ count_of('post.num_crossposts') }} as crosspost_count,
        'https://www.reddit.com' || post.permalink as url,
        coalesce(post.edited > 1, false) as is_edited,
        coalesce(post.over_18, false) as is_over_18,
        case
            when {{ filled('post.removed_by_category') }} is not null
                then 'removed_by_' || post.removed_by_category
            when trim(post.selftext) = '[removed]' then 'removed'
            when trim(post.selftext) = '[deleted]' then 'deleted'
        end as withheld_reason,
        {{ instant_of_epoch('post.created_utc') }} as posted_at,
        first_fetched_at,
        last_fetched_at,
        is_simulated,
        _source_file,
        _run_id,
        _loaded_at,
        _load_id,
    from unpacked
)

select * from final
