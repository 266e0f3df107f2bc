-- Every line of the current version of every order, and the newest version of every
-- line of a data set, is either an order line or a refund line, once.
with current_orders as (
    select order_snapshot_key from {{ ref('int_orders__current') }}
),

staged as (
    select count(*) as line_count
    from {{ ref('stg_shopify__order_lines') }} as order_lines
    inner join current_orders
        on order_lines.order_snapshot_key = current_orders.order_snapshot_key
    union all
    select count(*) as line_count
    from {{ ref('stg_shopify__refund_lines') }} as refund_lines
    inner join current_orders
        on refund_lines.order_snapshot_key = current_orders.order_snapshot_key
    union all
    select count(distinct sale_line_id) as line_count
    from {{ ref('stg_datasets__sales') }}
),

shown as (
    select count(*) as line_count from {{ ref('fct_order_lines') }}
    union all
    select count(*) as line_count from {{ ref('fct_refund_lines') }}
)

select
    (select sum(line_count) from staged) as staged_lines,
    (select sum(line_count) from shown) as shown_lines,
where (select sum(line_count) from staged) != (select sum(line_count) from shown)
