{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('reddit', 'comments') }}"
    )
}}

{% set shape = {
    'subreddit': 'VARCHAR',
    'body': 'VARCHAR',
    'author': 'VARCHAR',
    'author_fullname': 'VARCHAR',
    'created_utc': 'DOUBLE',
    'edited': 'DOUBLE',
    'score': 'BIGINT',
    'link_id': 'VARCHAR',
    'parent_id': 'VARCHAR',
    'permalink': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('reddit', 'comments') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack("coalesce(payload -> '$.data', payload)", shape) }} as said,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        case
            when said.author = '[deleted]' then null
            else coalesce(
                {{ filled('said.author_fullname') }}, {{ filled('said.author') }}
            )
        end as author_id,
        nullif({{ filled('said.author') }}, '[deleted]') as author_name,
        said.subreddit as subreddit,
        {{ filled('said.link_id') }} as submission_id,
        {{ filled('said.parent_id') }} as parent_id,
        nullif(nullif({{ filled('said.body') }}, '[removed]'), '[deleted]') as body,
        {{ score_of('said.score') }} as score,
        'https://www.reddit.com' || {{ filled('said.permalink') }} as url,
        coalesce(said.edited > 1, false) as is_edited,
        case
            when trim(said.body) = '[removed]' then 'removed'
            when trim(said.body) = '[deleted]' then 'deleted'
        end as withheld_reason,
        {{ instant_of_epoch('said.created_utc') }} as posted_at,
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
