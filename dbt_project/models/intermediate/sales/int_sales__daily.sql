with order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
),

sold as (
    select
        product_id,
        sold_date as date_day,
        sum(quantity) as gross_units,
        sum(gross_sales) as gross_sales,
        sum(discounts) as discounts,
        sum(taxes) as taxes,
        -- Lines without an order number do not tell how many orders they are.
        case
            when count(order_key) = count(*) then count(distinct order_key)
        end as orders_count,
        bool_or(gross_sales is not null) as has_money,
        bool_or(is_simulated) as is_simulated,
    from order_lines
    where is_counted
    group by product_id, sold_date
),

returned as (
    select
        product_id,
        refunded_date as date_day,
        sum(quantity) as returned_units,
        sum(returns) as returns,
        bool_or(is_simulated) as is_simulated,
    from refund_lines
    where is_counted
    group by product_id, refunded_date
),

returned_by_order_date as (
    select
        product_id,
        ordered_date as date_day,
        sum(quantity) as returned_units,
        sum(returns) as returns,
    from refund_lines
    where is_counted
    group by product_id, ordered_date
),

days as (
    select
        product_id,
        date_day,
    from sold
    union
    select
        product_id,
        date_day,
    from returned
    union
    select
        product_id,
        date_day,
    from returned_by_order_date
),

combined as (
    select
        days.product_id,
        days.date_day,
        coalesce(sold.gross_units, 0) as gross_units,
        coalesce(returned.returned_units, 0) as returned_units,
        coalesce(by_order_date.returned_units, 0) as returned_units_by_order_date,
        coalesce(sold.gross_sales, 0) as gross_sales,
        coalesce(sold.discounts, 0) as discounts,
        coalesce(returned.returns, 0) as returns,
        coalesce(by_order_date.returns, 0) as returns_by_order_date,
        coalesce(sold.taxes, 0) as taxes,
        case when sold.date_day is null then 0 else sold.orders_count end
            as orders_count,
        coalesce(sold.has_money, false) as has_money,
        coalesce(sold.is_simulated, false)
        or coalesce(returned.is_simulated, false) as is_simulated,
    from days
    left join sold
        on
            days.product_id is not distinct from sold.product_id
            and days.date_day = sold.date_day
    left join returned
        on
            days.product_id is not distinct from returned.product_id
            and days.date_day = returned.date_day
    left join returned_by_order_date as by_order_date
        on
            days.product_id is not distinct from by_order_date.product_id
            and days.date_day = by_order_date.date_day
),

final as (
    select
        coalesce(product_id, '(unmapped)') || '|' || date_day as sales_day_key,
        product_id,
        date_day,
        cast(gross_units as decimal(18, 3)) as gross_units,
        cast(returned_units as decimal(18, 3)) as returned_units,
        cast(gross_units - returned_units as decimal(18, 3)) as units,
        cast(gross_units - returned_units_by_order_date as decimal(18, 3))
            as units_by_order_date,
        cast(gross_sales as decimal(18, 3)) as gross_sales,
        cast(discounts as decimal(18, 3)) as discounts,
        cast(returns as decimal(18, 3)) as returns,
        cast(gross_sales - discounts - returns as decimal(18, 3)) as net_sales,
        cast(gross_sales - discounts - returns_by_order_date as decimal(18, 3))
            as net_sales_by_order_date,
        cast(taxes as decimal(18, 3)) as taxes,
        orders_count,
        -- What was ordered, before anything of it went back.
        cast((gross_sales - discounts) / nullif(orders_count, 0) as decimal(18, 3))
            as average_order_value,
        has_money,
        is_simulated,
    from combined
)

select * from final
