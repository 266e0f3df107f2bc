{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
with settled as (
    select max(date_day) - 30 as last_date
    from {{ ref('dim_dates') }}
),

bought as (
    select distinct
        lines.order_key,
        lines.product_id,
    from {{ ref('fct_order_lines') }} as lines
    inner join settled on lines.sold_date <= settled.last_date
    where
        lines.is_counted
        and lines.quantity > 0
        and lines.product_id is not null
        and lines.order_key is not null
),

returned as (
    select distinct
        order_key,
        product_id,
    from {{ ref('fct_refund_lines') }}
    where is_counted and quantity > 0
),

counted as (
    select
        bought.product_id,
        count(*) as orders_count,
        count(returned.order_key) as returned_count,
        count(returned.order_key) / count(*) as ratio,
    from bought
    left join returned
        on
            bought.order_key = returned.order_key
            and bought.product_id = returned.product_id
    group by bought.product_id
),

ends as (
    select
        *,
        (ratio + 3.8415 / (2 * orders_count)) / (1 + 3.8415 / orders_count) as middle,
        1.96 * sqrt(
            ratio * (1 - ratio) / orders_count + 3.8415 / (4 * orders_count ** 2)
        ) / (1 + 3.8415 / orders_count) as half,
    from counted
)

select
    product_id,
    orders_count,
    returned_count,
    round(100 * (middle - half), 1) as low_pct,
    round(100 * ratio, 1) as returned_pct,
    round(100 * (middle + half), 1) as high_pct,
from ends
order by returned_pct desc, product_id asc
