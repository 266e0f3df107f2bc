-- The daily sales are what the lines say, product by product and day by day, and so are
-- the orders and what is unmapped: nothing is lost or counted twice on either road.
with lines as (
    select
        product_id,
        sold_date as date_day,
        gross_sales,
        discounts,
        cast(0 as decimal(18, 3)) as returns,
        quantity as units,
        order_key,
    from {{ ref('fct_order_lines') }}
    where is_counted
    union all
    select
        product_id,
        refunded_date as date_day,
        0 as gross_sales,
        0 as discounts,
        returns,
        -quantity as units,
        order_key,
    from {{ ref('fct_refund_lines') }}
    where is_counted
),

by_day as (
    select
        product_id,
        date_day,
        coalesce(sum(gross_sales), 0) as gross_sales,
        coalesce(sum(gross_sales), 0)
        - coalesce(sum(discounts), 0)
        - coalesce(sum(returns), 0) as net_sales,
        sum(units) as units,
    from lines
    group by product_id, date_day
),

wrong_days as (
    select
        'day' as place,
        coalesce(by_day.date_day, days.date_day) || '' as what,
        by_day.net_sales as of_lines,
        days.net_sales as shown,
    from by_day
    full join {{ ref('fct_daily_sales') }} as days
        on
            by_day.product_id is not distinct from days.product_id
            and by_day.date_day = days.date_day
    where
        coalesce(by_day.gross_sales, 0) is distinct from days.gross_sales
        or coalesce(by_day.net_sales, 0) is distinct from days.net_sales
        or coalesce(by_day.units, 0) is distinct from days.units
),

wrong_orders as (
    select
        'orders' as place,
        'all' as what,
        of_lines.net_sales as of_lines,
        of_orders.net_sales as shown,
    from (
        select
            coalesce(sum(gross_sales), 0)
            - coalesce(sum(discounts), 0)
            - coalesce(sum(returns), 0) as net_sales,
        from lines
        where order_key is not null
    ) as of_lines
    cross join (
        select coalesce(sum(net_sales), 0) as net_sales
        from {{ ref('fct_orders') }}
    ) as of_orders
    where of_lines.net_sales != of_orders.net_sales
),

wrong_unmapped as (
    select
        'unmapped' as place,
        'all' as what,
        of_days.net_sales as of_lines,
        of_items.net_sales as shown,
    from (
        select coalesce(sum(net_sales), 0) as net_sales
        from {{ ref('fct_daily_sales') }}
        where product_id is null
    ) as of_days
    cross join (
        select coalesce(sum(net_sales), 0) as net_sales
        from {{ ref('mart_unmapped_sales') }}
    ) as of_items
    where of_days.net_sales != of_items.net_sales
)

select * from wrong_days
union all
select * from wrong_orders
union all
select * from wrong_unmapped
