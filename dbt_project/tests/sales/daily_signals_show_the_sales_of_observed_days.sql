-- On every observed day the units and net sales shown are those of the lines, 0 too.
select
    signals.product_id,
    signals.date_day,
    signals.units,
    sales.units as sales_units,
from {{ ref('fct_daily_signals') }} as signals
inner join (
    select distinct product_id from {{ ref('int_sales__daily') }}
) as selling
    on signals.product_id = selling.product_id
left join {{ ref('int_sales__daily') }} as sales
    on signals.product_id = sales.product_id and signals.date_day = sales.date_day
where
    (signals.is_observed_sales and signals.units is null)
    or (not signals.is_observed_sales and signals.units is not null)
    or signals.units != coalesce(sales.units, 0)
    or signals.net_sales != coalesce(sales.net_sales, 0)
