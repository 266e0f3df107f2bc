-- Fields of the wire keep their own spelling.
-- noqa: disable=references.quoting
{{
    config(
        unique_key='order_snapshot_key',
        pre_hook="{{ drop_forgotten('shopify', 'orders') }}"
    )
}}
{%- set money_bag = '{"shopMoney": {"amount": "VARCHAR", "currencyCode": "VARCHAR"}}' %}

with received as (
    {{ remembered_records('shopify', 'orders') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as order_snapshot_key,
        record_id,
        from_json(
            payload -> '$.refunds',
            '[{
                "id": "VARCHAR",
                "createdAt": "VARCHAR",
                "processedAt": "VARCHAR",
                "refundLineItems": {"nodes": [{
                    "quantity": "BIGINT",
                    "restockType": "VARCHAR",
                    "subtotalSet": {{ money_bag }},
                    "totalTaxSet": {{ money_bag }},
                    "lineItem": {"id": "VARCHAR", "sku": "VARCHAR"}
                }]}
            }]'
        ) as refunds,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from received
    -- Few orders have refunds: the others are not unpacked at all.
    where json_array_length(payload, '$.refunds') > 0
),

unpacked_refunds as (
    select
        order_snapshot_key,
        record_id,
        unnest(refunds) as refund,
        unnest(range(1, len(refunds) + 1)) as refund_number,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from records
),

unpacked_lines as (
    select
        order_snapshot_key,
        record_id,
        refund,
        refund_number,
        unnest(refund."refundLineItems".nodes) as line,
        unnest(range(1, len(refund."refundLineItems".nodes) + 1)) as line_number,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from unpacked_refunds
),

final as (
    select
        order_snapshot_key,
        record_id,
        record_id as order_id,
        coalesce(refund.id, record_id || '#refund' || refund_number) as refund_id,
        coalesce(refund.id, record_id || '#refund' || refund_number)
        || '#' || line_number as refund_line_id,
        line."lineItem".id as order_line_id,
        line."lineItem".sku as sku,
        line."restockType" as restock_type,
        line."subtotalSet"."shopMoney"."currencyCode" as currency,
        line.quantity as quantity,
        try_cast(line."subtotalSet"."shopMoney".amount as decimal(18, 4))
            as refunded_amount,
        try_cast(line."totalTaxSet"."shopMoney".amount as decimal(18, 4))
            as refunded_tax_amount,
        is_simulated,
        coalesce(
            {{ instant('refund."createdAt"') }},
            {{ instant('refund."processedAt"') }}
        ) as refunded_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from unpacked_lines
    qualify
        row_number() over (
            partition by order_snapshot_key, refund_number, line_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
