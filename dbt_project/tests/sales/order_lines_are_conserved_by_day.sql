-- What was sold and given back is in the daily sales to the cent, on both calendars.
with lines as (
    select
        coalesce(sum(gross_sales), 0) as gross_sales,
        coalesce(sum(discounts), 0) as discounts,
        coalesce(sum(quantity), 0) as units,
    from {{ ref('fct_order_lines') }}
    where is_counted
),

refunds as (
    select
        coalesce(sum(returns), 0) as returns,
        coalesce(sum(quantity), 0) as units,
    from {{ ref('fct_refund_lines') }}
    where is_counted
),

days as (
    select
        coalesce(sum(gross_sales), 0) as gross_sales,
        coalesce(sum(discounts), 0) as discounts,
        coalesce(sum(returns), 0) as returns,
        coalesce(sum(net_sales), 0) as net_sales,
        coalesce(sum(net_sales_by_order_date), 0) as net_sales_by_order_date,
        coalesce(sum(units), 0) as units,
        coalesce(sum(units_by_order_date), 0) as units_by_order_date,
    from {{ ref('int_sales__daily') }}
)

select
    lines.gross_sales as line_gross_sales,
    days.gross_sales as day_gross_sales,
    refunds.returns as line_returns,
    days.returns as day_returns,
from lines
cross join refunds
cross join days
where
    lines.gross_sales != days.gross_sales
    or lines.discounts != days.discounts
    or refunds.returns != days.returns
    or lines.gross_sales - lines.discounts - refunds.returns != days.net_sales
    or lines.gross_sales - lines.discounts - refunds.returns
    != days.net_sales_by_order_date
    or lines.units - refunds.units != days.units
    or lines.units - refunds.units != days.units_by_order_date
