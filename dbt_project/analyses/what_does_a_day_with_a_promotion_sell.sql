{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    is_promo,
    count(units) as observed_days,
    round(avg(units), 1) as units_per_day,
    round(2 * stddev_samp(units) / sqrt(count(units)), 1) as two_se,
from {{ ref('fct_daily_signals') }}
where units is not null and is_open and not is_stock_out
group by product_id, is_promo
order by product_id, is_promo
