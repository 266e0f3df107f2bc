{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    metric,
    product_id,
    month_start_date,
    month_value,
    round(100 * change_low, 1) as low_pct,
    round(100 * change, 1) as change_pct,
    round(100 * change_high, 1) as high_pct,
    is_change_clear,
    change_reason as why_no_interval,
from {{ ref('mart_growth_metrics') }}
where value_kind in ('total', 'mean') and not is_partial_month
qualify
    row_number() over (
        partition by product_id, metric order by month_start_date desc
    ) = 1
order by metric asc, change desc nulls last, product_id asc
