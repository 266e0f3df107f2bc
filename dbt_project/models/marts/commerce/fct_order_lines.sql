with order_lines as (
    select * from {{ ref('int_orders__lines') }}
)

select
    order_line_key,
    order_id,
    order_line_id,
    product_id,
    sku,
    source_name as source,
    currency,
    sold_date,
    quantity,
    gross_sales_original,
    discounts_original,
    taxes_original,
    exchange_rate,
    gross_sales,
    discounts,
    cast(gross_sales - discounts as decimal(18, 2)) as net_sales_before_returns,
    taxes,
    exclusion_reason,
    is_counted,
    is_mapped,
    is_currency_assumed,
    is_simulated,
    sold_at,
from order_lines
