{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('hackernews', 'items') }}"
    )
}}

{% set shape = {
    'type': 'VARCHAR',
    'by': 'VARCHAR',
    'title': 'VARCHAR',
    'text': 'VARCHAR',
    'score': 'BIGINT',
    'descendants': 'BIGINT',
    'time': 'BIGINT',
    'deleted': 'BOOLEAN',
    'dead': 'BOOLEAN',
} %}

with

snapshots as (
    {{ snapshots('hackernews', 'items') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as item,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        {{ filled('item.type') }} as kind,
        {{ filled('item.by') }} as author_id,
        {{ filled(words_of_html('item.title')) }} as title,
        {{ filled(words_of_html('item.text')) }} as body,
        {{ score_of('item.score') }} as points,
        {{ count_of('item.descendants') }} as comment_count,
        case
            when item.deleted then 'deleted'
            when item.dead then 'dead'
        end as withheld_reason,
        {{ instant_of_epoch('item.time') }} as posted_at,
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
