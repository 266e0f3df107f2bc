-- Every line of the current version of every order, and the newest version of every
-- line of a data set, is either an order line or a refund line, once. Refunds that an
-- export states of a whole order have rows of their own, which end in |refund.
with current_orders as (
    select
        source_name,
        order_snapshot_key,
    from {{ ref('int_orders__current') }}
),

order_lines as (
    {{- of_every_shop('order_lines', ['order_snapshot_key']) }}
),

refund_lines as (
    {{- of_every_shop('refund_lines', ['order_snapshot_key']) }}
),

staged as (
    select count(*) as line_count
    from order_lines
    inner join current_orders
        on
            order_lines.source_name = current_orders.source_name
            and order_lines.order_snapshot_key = current_orders.order_snapshot_key
    union all
    select count(*) as line_count
    from refund_lines
    inner join current_orders
        on
            refund_lines.source_name = current_orders.source_name
            and refund_lines.order_snapshot_key = current_orders.order_snapshot_key
    union all
    select count(distinct sale_line_id) as line_count
    from {{ ref('stg_datasets__sales') }}
),

shown as (
    select count(*) as line_count from {{ ref('fct_order_lines') }}
    union all
    select count(*) as line_count
    from {{ ref('fct_refund_lines') }}
    where
        not starts_with(source, 'datasets/')
        or not ends_with(refund_line_key, '|refund')
)

select
    (select sum(line_count) from staged) as staged_lines,
    (select sum(line_count) from shown) as shown_lines,
where (select sum(line_count) from staged) != (select sum(line_count) from shown)
