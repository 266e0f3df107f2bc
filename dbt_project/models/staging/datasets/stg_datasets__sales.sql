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
                "shop_name": "VARCHAR",
                "product_key": "VARCHAR",
                "product_name": "VARCHAR",
                "quantity": "VARCHAR",
                "unit_price": "VARCHAR",
                "amount": "VARCHAR",
                "discount": "VARCHAR",
                "tax": "VARCHAR",
                "is_tax_included": "BOOLEAN",
                "currency": "VARCHAR",
                "order_status": "VARCHAR",
                "order_subtotal": "VARCHAR",
                "order_discount": "VARCHAR",
                "order_shipping": "VARCHAR",
                "order_tax": "VARCHAR",
                "order_total": "VARCHAR",
                "order_refunded": "VARCHAR",
                "sold_at": "VARCHAR",
                "sold_on": "VARCHAR",
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
        lower(nullif(trim(line.shop_name), '')) as shop_name,
        nullif(trim(line.product_key), '') as product_key,
        nullif(trim(line.product_name), '') as product_name,
        lower(trim(line.order_status)) as order_status,
        lower(trim(line.kind)) as sale_kind,
        upper(nullif(trim(line.currency), '')) as currency,
        line.country as country,
        {{ quantity_of('line.quantity') }} as quantity,
        {{ money_of('line.unit_price') }} as unit_price,
        {{ money_of('line.amount') }} as amount,
        {{ money_of('line.discount') }} as line_discount,
        {{ money_of('line.tax') }} as line_tax,
        {{ money_of('line.order_subtotal') }} as order_subtotal,
        {{ money_of('line.order_discount') }} as order_discount,
        {{ money_of('line.order_shipping') }} as order_shipping,
        {{ money_of('line.order_tax') }} as order_tax,
        {{ money_of('line.order_total') }} as order_total,
        {{ money_of('line.order_refunded') }} as order_refunded,
        line.is_tax_included as is_tax_included,
        is_simulated,
        try_cast(line.sold_on as date) as sold_date,
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
