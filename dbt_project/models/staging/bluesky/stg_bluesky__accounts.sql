{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('bluesky', 'accounts') }}"
    )
}}

{% set shape = {
    'time_us': 'BIGINT',
    'account': {'active': 'BOOLEAN', 'status': 'VARCHAR'},
} %}

with

snapshots as (
    {{ snapshots('bluesky', 'accounts') }}
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
        record_id as author_id,
        {{ filled('event.account.status') }} as status,
        coalesce(event.account.active, false) as is_active,
        {#- A host that cannot keep up has not taken anything back. #}
        not coalesce(event.account.active, false)
        and coalesce(event.account.status, '') not in ('desynchronized', 'throttled')
            as is_hidden,
        not coalesce(event.account.active, false)
        and coalesce(event.account.status, '') = 'deleted' as is_deleted,
        case
            when told_at <= last_fetched_at + interval 1 day then told_at
            else first_fetched_at
        end as changed_at,
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
