{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    category,
    products_count,
    n_days,
    lag_days,
    q_value,
    case when is_percentage_allowed then round(100 * uplift_low_ratio, 1) end
        as low_pct,
    case when is_percentage_allowed then round(100 * uplift_high_ratio, 1) end
        as high_pct,
    is_refused,
    reason,
    summed_lag_days,
    summed_p_value,
from {{ ref('mart_pooled_effect') }}
where signal = 'sentiment_mean' and metric = 'units'
order by category != 'all', category
