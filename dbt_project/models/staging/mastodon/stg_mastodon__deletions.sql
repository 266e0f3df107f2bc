{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('mastodon', 'deletions') }}"
    )
}}

{% set shape = {
    '_instance': 'VARCHAR',
    'reason': 'VARCHAR',
    'seen_at': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('mastodon', 'deletions') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as deletion,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        {{ filled('deletion._instance') }} as instance,
        {{ filled('deletion.reason') }} as reason,
        coalesce({{ instant('deletion.seen_at') }}, first_fetched_at) as deleted_at,
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
