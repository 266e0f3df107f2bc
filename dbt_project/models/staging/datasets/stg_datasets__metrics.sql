{{
    config(
        unique_key='metric_snapshot_key',
        pre_hook="{{ drop_forgotten('datasets', 'metrics') }}"
    )
}}

with received as (
    {{ remembered_records('datasets', 'metrics') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as metric_snapshot_key,
        record_id,
        from_json(
            payload,
            '{
                "dataset": "VARCHAR",
                "product_key": "VARCHAR",
                "metric": "VARCHAR",
                "date": "VARCHAR",
                "value": "VARCHAR",
                "unit": "VARCHAR"
            }'
        ) as point,
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
        metric_snapshot_key,
        record_id,
        record_id as metric_point_id,
        point.dataset as dataset,
        nullif(trim(point.product_key), '') as product_key,
        lower(trim(point.metric)) as metric,
        nullif(trim(point.unit), '') as unit,
        {{ number_of('point.value') }} as metric_value,
        is_simulated,
        try_cast(point.date as date) as metric_date,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by metric_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
