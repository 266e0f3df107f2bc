-- Fields of the wire keep their own spelling.
-- noqa: disable=references.quoting
{{
    config(
        unique_key='order_snapshot_key',
        pre_hook="{{ drop_forgotten('shopify', 'orders') }}"
    )
}}
{%- set money_bag = '{"shopMoney": {"amount": "VARCHAR", "currencyCode": "VARCHAR"}}' %}
{%- set part %}
        order_snapshot_key,
        record_id,
        shop_name,
        is_tax_included,
        refund,
        refund_number,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
{%- endset %}

with received as (
    {{ remembered_records('shopify', 'orders') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as order_snapshot_key,
        record_id,
        payload ->> '$._shop' as shop_name,
        coalesce(try_cast(payload ->> '$.taxesIncluded' as boolean), false)
            as is_tax_included,
        from_json(
            payload -> '$.refunds',
            '[{
                "id": "VARCHAR",
                "createdAt": "VARCHAR",
                "processedAt": "VARCHAR",
                "totalRefundedSet": {{ money_bag }},
                "refundLineItems": {"nodes": [{
                    "quantity": "BIGINT",
                    "restockType": "VARCHAR",
                    "subtotalSet": {{ money_bag }},
                    "totalTaxSet": {{ money_bag }},
                    "lineItem": {"id": "VARCHAR", "sku": "VARCHAR"}
                }]},
                "refundShippingLines": {"nodes": [{
                    "subtotalAmountSet": {{ money_bag }},
                    "taxAmountSet": {{ money_bag }}
                }]},
                "orderAdjustments": {"nodes": [{
                    "reason": "VARCHAR",
                    "amountSet": {{ money_bag }},
                    "taxAmountSet": {{ money_bag }}
                }]},
                "duties": [{"amountSet": {{ money_bag }}}]
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
        shop_name,
        is_tax_included,
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
        {{- part }}
        unnest(refund."refundLineItems".nodes) as line,
        unnest(range(1, len(refund."refundLineItems".nodes) + 1)) as line_number,
    from unpacked_refunds
),

unpacked_shipping as (
    select
        {{- part }}
        unnest(refund."refundShippingLines".nodes) as line,
        unnest(range(1, len(refund."refundShippingLines".nodes) + 1)) as line_number,
    from unpacked_refunds
),

unpacked_adjustments as (
    select
        {{- part }}
        unnest(refund."orderAdjustments".nodes) as line,
        unnest(range(1, len(refund."orderAdjustments".nodes) + 1)) as line_number,
    from unpacked_refunds
),

unpacked_duties as (
    select
        {{- part }}
        unnest(refund.duties) as line,
        unnest(range(1, len(refund.duties) + 1)) as line_number,
    from unpacked_refunds
),

parts as (
    select
        {{- part }}
        'line' as refund_kind,
        '#' || line_number as part_number,
        line."lineItem".id as line_item_id,
        line."lineItem".sku as sku,
        line."restockType" as restock_type,
        cast(null as varchar) as adjustment_reason,
        line."subtotalSet"."shopMoney"."currencyCode" as currency,
        {{ whole_quantity_of('line.quantity') }} as quantity,
        {{ money_of('line."subtotalSet"."shopMoney".amount') }}
            as refunded_amount,
        {{ money_of('line."totalTaxSet"."shopMoney".amount') }}
            as refunded_tax_amount,
    from unpacked_lines
    union all by name
    select
        {{- part }}
        'shipping' as refund_kind,
        '#shipping' || line_number as part_number,
        line."subtotalAmountSet"."shopMoney"."currencyCode" as currency,
        {{ money_of('line."subtotalAmountSet"."shopMoney".amount') }}
            as refunded_amount,
        {{ money_of('line."taxAmountSet"."shopMoney".amount') }}
            as refunded_tax_amount,
    from unpacked_shipping
    union all by name
    -- An adjustment is told as what the order gains: -5 gives 5 back.
    select
        {{- part }}
        'adjustment' as refund_kind,
        '#adjustment' || line_number as part_number,
        coalesce(line.reason, 'UNKNOWN') as adjustment_reason,
        line."amountSet"."shopMoney"."currencyCode" as currency,
        -1 * {{ money_of('line."amountSet"."shopMoney".amount') }}
        - case
            when is_tax_included
                then
                    coalesce(
                        {{ money_of('line."taxAmountSet"."shopMoney".amount') }},
                        0
                    )
            else 0
        end as refunded_amount,
        -1 * {{ money_of('line."taxAmountSet"."shopMoney".amount') }}
            as refunded_tax_amount,
    from unpacked_adjustments
    union all by name
    -- Duties are taxes: they were never part of a price.
    select
        {{- part }}
        'adjustment' as refund_kind,
        '#duty' || line_number as part_number,
        'DUTY' as adjustment_reason,
        line."amountSet"."shopMoney"."currencyCode" as currency,
        case
            when is_tax_included
                then {{ money_of('line."amountSet"."shopMoney".amount') }}
            else 0
        end as refunded_amount,
        {{ money_of('line."amountSet"."shopMoney".amount') }}
            as refunded_tax_amount,
    from unpacked_duties
    union all by name
    select
        {{- part }}
        'adjustment' as refund_kind,
        '#total' as part_number,
        'NO_PART_NAMED' as adjustment_reason,
        refund."totalRefundedSet"."shopMoney"."currencyCode" as currency,
        {{ money_of('refund."totalRefundedSet"."shopMoney".amount') }}
            as refunded_amount,
    from unpacked_refunds
    where
        coalesce(len(refund."refundLineItems".nodes), 0)
        + coalesce(len(refund."refundShippingLines".nodes), 0)
        + coalesce(len(refund."orderAdjustments".nodes), 0)
        + coalesce(len(refund.duties), 0)
        = 0
        and coalesce(
            {{ money_of('refund."totalRefundedSet"."shopMoney".amount') }}, 0
        )
        != 0
),

final as (
    select
        order_snapshot_key,
        record_id,
        {{ of_shop('shop_name', 'record_id') }} as order_id,
        {{ of_shop(
            'shop_name', "coalesce(refund.id, record_id || '#refund' || refund_number)"
        ) }} as refund_id,
        {{ of_shop(
            'shop_name', "coalesce(refund.id, record_id || '#refund' || refund_number)"
        ) }} || part_number as refund_line_id,
        {{ of_shop('shop_name', 'line_item_id') }} as order_line_id,
        refund_kind,
        sku,
        restock_type,
        adjustment_reason,
        currency,
        quantity,
        refunded_amount,
        refunded_tax_amount,
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
    from parts
    qualify
        row_number() over (
            partition by order_snapshot_key, refund_number, part_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
