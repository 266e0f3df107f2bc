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
            payload,
            '{
                "name": "VARCHAR",
                "createdAt": "VARCHAR",
                "processedAt": "VARCHAR",
                "updatedAt": "VARCHAR",
                "cancelledAt": "VARCHAR",
                "cancelReason": "VARCHAR",
                "test": "BOOLEAN",
                "taxesIncluded": "BOOLEAN",
                "displayFinancialStatus": "VARCHAR",
                "currencyCode": "VARCHAR",
                "totalPriceSet": {{ money_bag }},
                "totalDiscountsSet": {{ money_bag }},
                "totalTaxSet": {{ money_bag }},
                "totalRefundedSet": {{ money_bag }},
                "totalShippingPriceSet": {{ money_bag }},
                "_shop": "VARCHAR"
            }'
        ) as node,
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
        order_snapshot_key,
        record_id,
        {{ of_shop('node._shop', 'record_id') }} as order_id,
        node.name as order_name,
        node._shop as shop_name,
        node."displayFinancialStatus" as financial_status,
        node."cancelReason" as cancel_reason,
        coalesce(
            node."totalPriceSet"."shopMoney"."currencyCode", node."currencyCode"
        ) as currency,
        {{ money_of('node."totalPriceSet"."shopMoney".amount') }}
            as total_price,
        {{ money_of('node."totalDiscountsSet"."shopMoney".amount') }}
            as total_discounts,
        {{ money_of('node."totalTaxSet"."shopMoney".amount') }}
            as total_tax,
        {{ money_of('node."totalRefundedSet"."shopMoney".amount') }}
            as total_refunded,
        {{ money_of('node."totalShippingPriceSet"."shopMoney".amount') }}
            as total_shipping,
        coalesce(node.test, false) as is_test,
        node."cancelledAt" is not null as is_cancelled,
        coalesce(node."taxesIncluded", false) as is_tax_included,
        false as is_deleted,
        is_simulated,
        {{ instant('node."createdAt"') }} as created_at,
        coalesce(
            {{ instant('node."processedAt"') }},
            {{ instant('node."createdAt"') }}
        ) as processed_at,
        {{ instant('node."updatedAt"') }} as updated_at,
        {{ instant('node."cancelledAt"') }} as cancelled_at,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by order_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
