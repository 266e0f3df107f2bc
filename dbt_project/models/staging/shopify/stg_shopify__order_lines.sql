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
            payload -> '$.lineItems.nodes',
            '[{
                "id": "VARCHAR",
                "sku": "VARCHAR",
                "name": "VARCHAR",
                "quantity": "BIGINT",
                "currentQuantity": "BIGINT",
                "isGiftCard": "BOOLEAN",
                "originalUnitPriceSet": {{ money_bag }},
                "discountedUnitPriceSet": {{ money_bag }},
                "discountAllocations": [{"allocatedAmountSet": {{ money_bag }}}],
                "taxLines": [{"priceSet": {{ money_bag }}}]
            }]'
        ) as lines,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from received
),

unpacked as (
    select
        order_snapshot_key,
        record_id,
        unnest(lines) as line,
        unnest(range(1, len(lines) + 1)) as line_number,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from records
),

final as (
    select
        order_snapshot_key,
        record_id,
        record_id as order_id,
        coalesce(line.id, record_id || '#' || line_number) as order_line_id,
        line_number,
        line.sku as sku,
        line.name as line_name,
        line."originalUnitPriceSet"."shopMoney"."currencyCode" as currency,
        line.quantity as quantity,
        line."currentQuantity" as current_quantity,
        try_cast(
            line."originalUnitPriceSet"."shopMoney".amount as decimal(18, 4)
        ) as original_unit_price,
        try_cast(
            line."discountedUnitPriceSet"."shopMoney".amount as decimal(18, 4)
        ) as discounted_unit_price,
        -- Allocations hold the line's own discounts and its share of the order's.
        cast(
            list_sum(
                list_transform(
                    line."discountAllocations",
                    lambda allocation: try_cast(
                        allocation."allocatedAmountSet"."shopMoney".amount
                        as decimal(18, 4)
                    )
                )
            ) as decimal(18, 4)
        ) as discount_amount,
        cast(
            list_sum(
                list_transform(
                    line."taxLines",
                    lambda tax: try_cast(
                        tax."priceSet"."shopMoney".amount as decimal(18, 4)
                    )
                )
            ) as decimal(18, 4)
        ) as tax_amount,
        coalesce(line."isGiftCard", false) as is_gift_card,
        is_simulated,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from unpacked
    -- Content that was fetched twice; judged here, where rows are narrow.
    qualify
        row_number() over (
            partition by order_snapshot_key, line_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
