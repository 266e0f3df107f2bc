with order_lines as (
    select * from {{ ref('int_orders__lines') }}
)

select
    order_line_key,
    order_key,
    order_id,
    order_line_id,
    product_id,
    sku,
    line_name,
    source_name as source,
    shop_name,
    currency,
    sold_date,
    ordered_quantity,
    removed_quantity,
    quantity,
    gross_sales_original,
    discounts_original,
    taxes_original,
    exchange_rate,
    gross_sales,
    discounts,
    cast(gross_sales - discounts as decimal(18, 3)) as net_sales_before_returns,
    taxes,
    exclusion_reason,
    is_counted,
    is_mapped,
    is_currency_assumed,
    is_simulated,
    sold_at,
from order_lines
