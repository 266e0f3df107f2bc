with orders as (
    select * from {{ ref('int_orders__current') }}
),

order_lines as (
    {{- of_every_shop('order_lines', [
        'order_snapshot_key', 'order_line_id', 'sku', 'line_name',
        'platform_product_id', 'platform_variant_id', 'is_gift_card',
    ]) }}
),

refund_lines as (
    {{- of_every_shop('refund_lines', [
        'order_snapshot_key', 'refund_line_id', 'refund_id', 'refund_kind',
        'order_line_id', 'sku', 'restock_type', 'currency', 'quantity',
        'refunded_amount', 'refunded_tax_amount', 'refunded_at', '_load_id',
    ]) }}
),

data_set_lines as (
    select * from {{ ref('int_orders__data_set_lines') }}
),

refunded as (
    select
        refunds.*,
        orders.shop_name,
        orders.order_key,
        orders.order_id,
        orders.currency as order_currency,
        orders.is_tax_included,
        orders.exclusion_reason as order_exclusion_reason,
        orders.is_simulated,
        orders.processed_at,
        order_lines.sku as line_sku,
        order_lines.line_name,
        order_lines.platform_product_id,
        order_lines.platform_variant_id,
        order_lines.is_gift_card,
    from refund_lines as refunds
    inner join orders
        on
            refunds.source_name = orders.source_name
            and refunds.order_snapshot_key = orders.order_snapshot_key
    left join order_lines
        on
            refunds.source_name = order_lines.source_name
            and refunds.order_snapshot_key = order_lines.order_snapshot_key
            and refunds.order_line_id = order_lines.order_line_id
),

shop_refunds as (
    select
        {{ key_of_shop('refund_line_id') }} as refund_line_key,
        source_name,
        shop_name,
        order_key,
        order_id,
        order_line_id,
        refund_id,
        refund_kind,
        coalesce(nullif(trim(line_sku), ''), nullif(trim(sku), '')) as sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        restock_type,
        coalesce(upper(nullif(trim(currency), '')), order_currency) as line_currency,
        -- Money that goes back without goods takes no unit back.
        case
            when refund_kind = 'line' then cast(quantity as decimal(18, 3)) else 0
        end as quantity,
        cast(
            refunded_amount
            - case
                when is_tax_included then coalesce(refunded_tax_amount, 0) else 0
            end as decimal(18, 4)
        ) as line_returns,
        case
            when order_exclusion_reason is not null then order_exclusion_reason
            when refund_kind = 'shipping' then 'not_a_product_sale'
            when is_gift_card then 'gift_card'
            when quantity < 0 then 'quantity_negative'
        end as source_exclusion_reason,
        is_simulated,
        refunded_at,
        processed_at as ordered_at,
        _load_id,
    from refunded
),

-- A row of a data set that is a return by its kind or by its sign.
returned_rows as (
    select
        sale_line_id as refund_line_id,
        cast(null as varchar) as order_line_id,
        coalesce(order_id, sale_line_id) as refund_id,
        return_kind as refund_kind,
        abs(quantity) as quantity,
        abs(line_amount)
        - line_discounts
        - case when has_tax_in_prices then abs(line_taxes) else 0 end as line_returns,
        case
            when order_exclusion_reason is not null then order_exclusion_reason
            when unit_price <= 0 or amount = 0 then 'price_not_positive'
        end as source_exclusion_reason,
        * exclude (return_kind, quantity),
    from data_set_lines
    where return_kind is not null
),

-- An export that only says how much of an order went back: of a whole order every line
-- did; of a part of it nobody knows which.
refunded_lines as (
    select
        sale_line_id || '|refund' as refund_line_id,
        sale_line_id as order_line_id,
        order_id as refund_id,
        'line' as refund_kind,
        quantity,
        line_net as line_returns,
        case
            when order_exclusion_reason is not null then order_exclusion_reason
            when unit_price <= 0 or amount <= 0 then 'price_not_positive'
        end as source_exclusion_reason,
        * exclude (return_kind, quantity),
    from data_set_lines
    where is_refunded_whole and is_sale_line
),

refunded_orders as (
    select
        dataset || '|' || order_id || '|refund' as refund_line_id,
        cast(null as varchar) as order_line_id,
        order_id as refund_id,
        case when is_refunded_whole then 'shipping' else 'adjustment' end
            as refund_kind,
        cast(0 as decimal(18, 3)) as quantity,
        refunded_of_order - case when is_refunded_whole then net_of_order else 0 end
            as line_returns,
        coalesce(
            order_exclusion_reason,
            case when is_refunded_whole then 'not_a_product_sale' end
        ) as source_exclusion_reason,
        cast(null as varchar) as sku,
        cast(null as varchar) as line_name,
        * exclude (return_kind, quantity, sku, line_name),
    from data_set_lines
    where refunded_of_order > 0 and is_first_of_order
),

set_returns as (
    select * from returned_rows
    union all by name
    select * from refunded_lines
    union all by name
    select *
    from refunded_orders
    where line_returns != 0
),

set_refunds as (
    select
        'datasets|' || refund_line_id as refund_line_key,
        'datasets/' || dataset as source_name,
        shop_name,
        order_key,
        order_id,
        order_line_id,
        refund_id,
        refund_kind,
        sku,
        line_name,
        cast(null as varchar) as platform_product_id,
        cast(null as varchar) as platform_variant_id,
        cast(null as varchar) as restock_type,
        currency as line_currency,
        quantity,
        cast(line_returns as decimal(18, 4)) as line_returns,
        source_exclusion_reason,
        is_simulated,
        sold_at as refunded_at,
        ordered_at,
        _load_id,
    from set_returns
),

unioned as (
    select * from shop_refunds
    union all by name
    select * from set_refunds
),

final as (
    select
        refund_line_key,
        source_name,
        shop_name,
        order_key,
        order_id,
        order_line_id,
        refund_id,
        refund_kind,
        {{ sold_item_key(
            'source_name', 'shop_name', 'sku', 'platform_product_id',
            'platform_variant_id'
        ) }} as item_key,
        sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        restock_type,
        line_currency,
        quantity,
        line_returns,
        source_exclusion_reason,
        is_simulated,
        refunded_at,
        ordered_at,
        _load_id,
    from unioned
)

select * from final
