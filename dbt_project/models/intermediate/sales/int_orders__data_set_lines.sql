with data_set_sales as (
    select * from {{ ref('stg_datasets__sales') }}
),

-- The newest version of each line: exports overlap, and an order changes between them.
current_lines as (
    select
        *,
        -- Where only the day is known, its beginning.
        coalesce(
            sold_at,
            timezone(
                {{ sql_text(business_timezone()) }}, cast(sold_date as timestamp)
            )
        ) as sold_at_or_day,
        {{ money_digits('currency') }} as digits,
        case
            when coalesce(sale_kind, 'sale') = 'return' then 'return'
            when coalesce(sale_kind, 'sale') = 'sale' and coalesce(quantity < 0, false)
                then 'negative_quantity'
        end as return_kind,
        coalesce(
            cast(amount as decimal(26, 4)),
            case
                when abs(cast(quantity as double) * unit_price) < {{ too_much_money() }}
                    then cast(
                        cast(quantity as decimal(26, 3))
                        * cast(unit_price as decimal(18, 4))
                        as decimal(26, 4)
                    )
            end
        ) as line_amount,
        coalesce(sale_kind, 'sale') = 'sale' and not coalesce(quantity < 0, false)
            as is_sale_line,
        abs(line_discount) as own_discount,
    from data_set_sales
    qualify
        row_number() over (
            partition by sale_line_id
            order by
                fetched_at desc,
                _load_id desc,
                _line_no desc,
                sale_snapshot_key asc
        ) = 1
),

-- What an export says of the whole order stands on each of its lines: the newest.
orders as (
    select
        dataset,
        order_id,
        max_by(order_discount, _load_id) as order_discount,
        max_by(order_subtotal, _load_id) as order_subtotal,
        max_by(order_shipping, _load_id) as order_shipping,
        max_by(order_tax, _load_id) as order_tax,
        max_by(order_total, _load_id) as order_total,
        max_by(abs(order_refunded), _load_id) as order_refunded,
        max_by(is_tax_included, _load_id) as is_tax_included,
        sum(line_amount) as lines_amount,
        sum(coalesce(own_discount, 0)) as lines_discount,
        count(*) as line_count,
        min(sold_at_or_day) as ordered_at,
    from current_lines
    where order_id is not null and is_sale_line
    group by dataset, order_id
),

-- Discounts of the order hold those of its lines. Its subtotal tells how much of them
-- was taken off goods: the rest was taken off shipping.
discounted as (
    select
        *,
        case
            when
                order_subtotal is not null
                and lines_amount - order_subtotal >= lines_discount
                and lines_amount - order_subtotal
                <= coalesce(order_discount, 0) + lines_discount
                then lines_amount - order_subtotal
            else greatest(coalesce(order_discount, 0), lines_discount)
        end as goods_discount,
    from orders
),

totalled as (
    select
        *,
        least(goods_discount, lines_amount) - lines_discount as shared_discount,
        lines_amount - least(goods_discount, lines_amount) as goods_amount,
        -- An export that does not say so shows by its sums whether prices hold the tax.
        coalesce(
            is_tax_included,
            abs(order_total - order_subtotal - coalesce(order_shipping, 0))
            < abs(
                order_total
                - order_subtotal
                - coalesce(order_shipping, 0)
                - coalesce(order_tax, 0)
            ),
            false
        ) as has_tax_in_prices,
    from discounted
),

-- Only lines of goods have a part in what is said of the whole order.
based as (
    select
        *,
        case
            when is_sale_line
                then coalesce(line_amount, 0) - coalesce(own_discount, 0)
            else 0
        end as base,
    from current_lines
),

-- Shares are told by the sums up to each line, so that they add up to the whole.
weighed as (
    select
        lines.*,
        orders.shared_discount,
        orders.goods_amount,
        orders.order_refunded as refunded_of_order,
        orders.order_total as total_of_order,
        orders.order_shipping as shipping_of_order,
        orders.has_tax_in_prices,
        orders.ordered_at,
        orders.lines_amount - orders.lines_discount as base_of_order,
        cast(
            orders.order_tax
            * orders.goods_amount
            / nullif(orders.goods_amount + coalesce(orders.order_shipping, 0), 0)
            as decimal(26, 4)
        ) as shared_tax,
        sum(lines.base) over (
            partition by lines.dataset, lines.order_id
            order by lines.sale_line_id
        ) as base_up_to,
    from based as lines
    left join totalled as orders
        on lines.dataset = orders.dataset and lines.order_id = orders.order_id
),

shared as (
    select
        sale_line_id,
        dataset,
        shop_name,
        -- Null without an order number.
        'datasets|' || dataset || '|' || order_id as order_key,
        order_id,
        product_key as sku,
        product_name as line_name,
        currency,
        sale_kind,
        return_kind,
        is_sale_line,
        quantity,
        unit_price,
        amount,
        line_amount,
        cast(
            coalesce(own_discount, 0)
            + coalesce({{ share_of_order('shared_discount') }}, 0)
            as decimal(18, 4)
        ) as line_discounts,
        cast(
            coalesce(line_tax, {{ share_of_order('shared_tax') }}, 0) as decimal(18, 4)
        ) as line_taxes,
        coalesce(has_tax_in_prices, is_tax_included, false) as has_tax_in_prices,
        order_status,
        shipping_of_order,
        total_of_order,
        refunded_of_order,
        -- A whole order went back if all of its money did.
        coalesce(
            refunded_of_order > 0
            and refunded_of_order >= coalesce(total_of_order, goods_amount),
            false
        ) as is_refunded_whole,
        is_simulated,
        sold_at_or_day as sold_at,
        coalesce(ordered_at, sold_at_or_day) as ordered_at,
        _load_id,
    from weighed
),

netted as (
    select
        *,
        line_amount
        - line_discounts
        - case when has_tax_in_prices then line_taxes else 0 end as line_net,
    from shared
),

final as (
    select
        *,
        sum(line_net) filter (where is_sale_line) over (
            partition by dataset, order_id
        ) as net_of_order,
        is_sale_line
        and row_number() over (
            partition by dataset, order_id, is_sale_line order by sale_line_id
        ) = 1 as is_first_of_order,
        case order_status
            when 'cancelled' then 'cancelled_order'
            when 'test' then 'test_order'
            when 'pending' then 'pending_order'
        end as order_exclusion_reason,
    from netted
)

select * from final
