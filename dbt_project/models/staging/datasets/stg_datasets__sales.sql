{{
    config(
        unique_key='sale_snapshot_key',
        pre_hook="{{ drop_forgotten('datasets', 'sales') }}"
    )
}}

with received as (
    {{ remembered_records('datasets', 'sales') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as sale_snapshot_key,
        record_id,
        from_json(
            payload,
            '{
                "dataset": "VARCHAR",
                "line_id": "VARCHAR",
                "order_id": "VARCHAR",
                "product_key": "VARCHAR",
                "quantity": "VARCHAR",
                "unit_price": "VARCHAR",
                "amount": "VARCHAR",
                "currency": "VARCHAR",
                "sold_at": "VARCHAR",
                "country": "VARCHAR",
                "kind": "VARCHAR"
            }'
        ) as line,
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
        sale_snapshot_key,
        record_id,
        record_id as sale_line_id,
        line.dataset as dataset,
        line.order_id as order_id,
        nullif(trim(line.product_key), '') as product_key,
        lower(trim(line.kind)) as sale_kind,
        upper(nullif(trim(line.currency), '')) as currency,
        line.country as country,
        try_cast(line.quantity as decimal(18, 3)) as quantity,
        try_cast(line.unit_price as decimal(18, 4)) as unit_price,
        try_cast(line.amount as decimal(18, 4)) as amount,
        is_simulated,
        {{ instant('line.sold_at') }} as sold_at,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by sale_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
