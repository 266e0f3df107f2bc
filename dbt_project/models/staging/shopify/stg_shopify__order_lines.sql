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
                "product": {"id": "VARCHAR"},
                "variant": {"id": "VARCHAR"},
                "originalUnitPriceSet": {{ money_bag }},
                "discountedUnitPriceSet": {{ money_bag }},
                "discountAllocations": [{"allocatedAmountSet": {{ money_bag }}}],
                "taxLines": [{"priceSet": {{ money_bag }}}]
            }]'
        ) as lines,
        payload ->> '$._shop' as shop_name,
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
        shop_name,
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
        {{ of_shop('shop_name', 'record_id') }} as order_id,
        {{ of_shop('shop_name', "coalesce(line.id, record_id || '#' || line_number)") }}
            as order_line_id,
        line.product.id as platform_product_id,
        line.variant.id as platform_variant_id,
        line_number,
        line.sku as sku,
        line.name as line_name,
        line."originalUnitPriceSet"."shopMoney"."currencyCode" as currency,
        {{ whole_quantity_of('line.quantity') }} as quantity,
        {{ whole_quantity_of('line."currentQuantity"') }} as current_quantity,
        {{ money_of('line."originalUnitPriceSet"."shopMoney".amount') }}
            as original_unit_price,
        {{ money_of('line."discountedUnitPriceSet"."shopMoney".amount') }}
            as discounted_unit_price,
        -- Allocations hold the line's own discounts and its share of the order's.
        cast(
            list_sum(
                list_transform(
                    line."discountAllocations",
                    lambda given: {{ money_of(
                        'given."allocatedAmountSet"."shopMoney".amount'
                    ) }}
                )
            ) as decimal(18, 4)
        ) as discount_amount,
        cast(
            list_sum(
                list_transform(
                    line."taxLines",
                    lambda tax: {{ money_of('tax."priceSet"."shopMoney".amount') }}
                )
            ) as decimal(18, 4)
        ) as tax_amount,
        coalesce(line."isGiftCard", false) as is_gift_card,
        line.product.id is null and line.variant.id is null as is_custom_line,
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
