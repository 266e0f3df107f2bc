{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    horizon_days,
    forecasts_count,
    round(mase_without, 3) as mase_without,
    round(mase_with, 3) as mase_with,
    round(100 * improvement_ratio, 1) as error_saved_pct,
    q_value,
    is_predictive,
    reason as why_not_tested,
from {{ ref('mart_skill') }}
where signal = 'sentiment_mean' and metric = 'units'
order by product_id, horizon_days
