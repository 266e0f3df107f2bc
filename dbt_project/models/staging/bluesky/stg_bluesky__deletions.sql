{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('bluesky', 'deletions') }}"
    )
}}

{% set shape = {
    'did': 'VARCHAR',
    'time_us': 'BIGINT',
    'commit': {'rev': 'VARCHAR', 'operation': 'VARCHAR'},
} %}

with

snapshots as (
    {{ snapshots('bluesky', 'deletions') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as event,
    from snapshots
),

told as (
    select
        *,
        {{ instant_of_microseconds('event.time_us') }} as told_at,
    from unpacked
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        split_part(record_id, '/', 3) as author_id,
        case
            when regexp_matches(event.commit.rev, '^[2-7a-z]{13}$')
                then event.commit.rev
        end as revision,
        case
            when told_at <= last_fetched_at + interval 1 day then told_at
            else first_fetched_at
        end as deleted_at,
        first_fetched_at,
        last_fetched_at,
        is_simulated,
        _source_file,
        _run_id,
        _loaded_at,
        _load_id,
    from told
)

select * from final
