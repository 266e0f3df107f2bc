with daily_sales as (
    select * from {{ ref('int_sales__daily') }}
),

exchange_rates as (
    select * from {{ ref('int_orders__exchange_rates') }}
),

reporting as (
    select max(currency) as currency
    from exchange_rates
    where is_reporting_currency
)

select
    daily_sales.sales_day_key,
    daily_sales.product_id,
    daily_sales.date_day,
    reporting.currency,
    daily_sales.gross_units,
    daily_sales.returned_units,
    daily_sales.units,
    daily_sales.units_by_order_date,
    daily_sales.gross_sales,
    daily_sales.discounts,
    daily_sales.returns,
    daily_sales.net_sales,
    daily_sales.net_sales_by_order_date,
    daily_sales.taxes,
    daily_sales.orders_count,
    daily_sales.average_order_value,
    daily_sales.has_money,
    daily_sales.product_id is not null as is_mapped,
    daily_sales.is_simulated,
from daily_sales
cross join reporting
