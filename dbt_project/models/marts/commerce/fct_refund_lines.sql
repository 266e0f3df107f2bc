with refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
)

select
    refund_line_key,
    order_key,
    order_id,
    order_line_id,
    refund_id,
    refund_kind,
    product_id,
    sku,
    source_name as source,
    shop_name,
    restock_type,
    currency,
    refunded_date,
    ordered_date,
    quantity,
    quantity_beyond_order,
    returns_original,
    exchange_rate,
    returns,
    returns_beyond_order,
    exclusion_reason,
    is_counted,
    is_beyond_order,
    is_mapped,
    is_currency_assumed,
    is_simulated,
    refunded_at,
    ordered_at,
from refund_lines
