{{
    config(
        unique_key='event_snapshot_key',
        pre_hook="{{ drop_forgotten('storefront', 'calendar_events') }}"
    )
}}

with received as (
    {{ remembered_records('storefront', 'calendar_events') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as event_snapshot_key,
        record_id,
        from_json(
            payload,
            '{
                "kind": "VARCHAR",
                "sku": "VARCHAR",
                "name": "VARCHAR",
                "starts_on": "VARCHAR",
                "ends_on": "VARCHAR"
            }'
        ) as event,
        fetched_at,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from received
),

final as (
    select
        event_snapshot_key,
        record_id,
        record_id as event_id,
        lower(trim(event.kind)) as event_kind,
        nullif(trim(event.sku), '') as sku,
        event.name as event_name,
        is_simulated,
        try_cast(event.starts_on as date) as starts_date,
        try_cast(event.ends_on as date) as ends_date,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by event_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
