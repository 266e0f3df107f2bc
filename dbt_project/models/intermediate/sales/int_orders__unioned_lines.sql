with orders as (
    select * from {{ ref('int_orders__current') }}
),

order_lines as (
    {{- of_every_shop('order_lines', [
        'order_snapshot_key', 'order_line_id', 'sku', 'line_name',
        'platform_product_id', 'platform_variant_id', 'currency', 'quantity',
        'current_quantity', 'original_unit_price', 'discounted_unit_price',
        'discount_amount', 'tax_amount', 'is_gift_card', '_load_id',
    ], only=[('gross_amount', 'woocommerce', 'decimal(18, 4)')]) }}
),

refund_lines as (
    {{- of_every_shop('refund_lines', [
        'order_snapshot_key', 'order_line_id', 'quantity',
    ]) }}
),

data_set_lines as (
    select * from {{ ref('int_orders__data_set_lines') }}
),

refunded as (
    select
        source_name,
        order_snapshot_key,
        order_line_id,
        sum(quantity) as refunded_quantity,
    from refund_lines
    where order_line_id is not null
    group by source_name, order_snapshot_key, order_line_id
),

-- The current quantity of a line lacks what was refunded and what an edit took off. The
-- former comes as refunds and is taken off there; the latter was never sold.
edited as (
    select
        order_lines.*,
        orders.order_key,
        orders.shop_name,
        orders.order_id,
        orders.currency as order_currency,
        orders.is_tax_included,
        orders.exclusion_reason as order_exclusion_reason,
        orders.is_simulated,
        orders.processed_at,
        case
            when orders.exclusion_reason is null and order_lines.quantity > 0
                then least(
                    order_lines.quantity,
                    greatest(
                        order_lines.quantity
                        - order_lines.current_quantity
                        - coalesce(refunded.refunded_quantity, 0),
                        0
                    )
                )
        end as removed_quantity,
    from order_lines
    inner join orders
        on
            order_lines.source_name = orders.source_name
            and order_lines.order_snapshot_key = orders.order_snapshot_key
    left join refunded
        on
            order_lines.source_name = refunded.source_name
            and order_lines.order_snapshot_key = refunded.order_snapshot_key
            and order_lines.order_line_id = refunded.order_line_id
),

-- Discounts and taxes of a line are those of the quantity first ordered.
kept as (
    select
        *,
        quantity - coalesce(removed_quantity, 0) as sold_quantity,
        cast(
            coalesce(
                discount_amount,
                (original_unit_price - discounted_unit_price)
                * cast(quantity as decimal(15, 3)),
                0
            ) as decimal(26, 4)
        ) as ordered_discounts,
        cast(coalesce(tax_amount, 0) as decimal(26, 4)) as ordered_taxes,
        case
            when coalesce(removed_quantity, 0) > 0
                then cast(quantity - removed_quantity as decimal(15, 3)) / quantity
            else 1
        end as kept_ratio,
    from edited
),

shop_lines as (
    select
        {{ key_of_shop('order_line_id') }} as order_line_key,
        source_name,
        shop_name,
        order_key,
        order_id,
        order_line_id,
        nullif(trim(sku), '') as sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        coalesce(upper(nullif(trim(currency), '')), order_currency) as line_currency,
        cast(quantity as decimal(18, 3)) as ordered_quantity,
        cast(coalesce(removed_quantity, 0) as decimal(18, 3)) as removed_quantity,
        cast(sold_quantity as decimal(18, 3)) as quantity,
        -- Prices of a tax-inclusive shop hold the tax: sales are told without it.
        coalesce(
            cast(gross_amount * kept_ratio as decimal(26, 4)),
            cast(
                cast(original_unit_price as decimal(22, 4))
                * cast(sold_quantity as decimal(15, 3))
                as decimal(26, 4)
            )
        )
        - case
            when is_tax_included then cast(ordered_taxes * kept_ratio as decimal(26, 4))
            else 0
        end as line_gross,
        cast(ordered_discounts * kept_ratio as decimal(18, 4)) as line_discounts,
        cast(ordered_taxes * kept_ratio as decimal(18, 4)) as line_taxes,
        case
            when order_exclusion_reason is not null then order_exclusion_reason
            when is_gift_card then 'gift_card'
            when quantity < 0 then 'quantity_negative'
            when removed_quantity > 0 and sold_quantity = 0 then 'removed_from_order'
            when original_unit_price < 0 then 'price_not_positive'
            when abs(line_gross) >= {{ too_much_money() }} then 'amount_too_large'
        end as source_exclusion_reason,
        is_simulated,
        processed_at as sold_at,
        _load_id,
    from kept
),

set_lines as (
    select
        'datasets|' || sale_line_id as order_line_key,
        'datasets/' || dataset as source_name,
        shop_name,
        order_key,
        order_id,
        sale_line_id as order_line_id,
        sku,
        line_name,
        cast(null as varchar) as platform_product_id,
        cast(null as varchar) as platform_variant_id,
        currency as line_currency,
        quantity as ordered_quantity,
        cast(0 as decimal(18, 3)) as removed_quantity,
        quantity,
        line_amount - case when has_tax_in_prices then line_taxes else 0 end
            as line_gross,
        line_discounts,
        line_taxes,
        case
            when order_exclusion_reason is not null then order_exclusion_reason
            when coalesce(sale_kind, 'sale') != 'sale' then 'not_a_product_sale'
            when quantity = 0 and coalesce(line_amount, 0) = 0 then 'nothing_sold'
            when unit_price <= 0 or amount <= 0 then 'price_not_positive'
            when
                quantity is not null
                and unit_price is not null
                and line_amount is null
                then 'amount_too_large'
        end as source_exclusion_reason,
        is_simulated,
        sold_at,
        _load_id,
    from data_set_lines
    where return_kind is null
),

unioned as (
    select * from shop_lines
    union all by name
    select * from set_lines
),

final as (
    select
        order_line_key,
        source_name,
        shop_name,
        order_key,
        order_id,
        order_line_id,
        {{ sold_item_key(
            'source_name', 'shop_name', 'sku', 'platform_product_id',
            'platform_variant_id'
        ) }} as item_key,
        sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        line_currency,
        ordered_quantity,
        removed_quantity,
        quantity,
        case when abs(line_gross) < {{ too_much_money() }} then line_gross end
            as line_gross,
        line_discounts,
        line_taxes,
        source_exclusion_reason,
        is_simulated,
        sold_at,
        _load_id,
    from unioned
)

select * from final
