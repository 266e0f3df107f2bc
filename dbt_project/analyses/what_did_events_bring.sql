{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    event_kind,
    signal,
    events_count,
    round(100 * uplift_low_ratio, 1) as low_pct,
    round(100 * uplift_ratio, 1) as uplift_pct,
    round(100 * uplift_high_ratio, 1) as high_pct,
    q_value,
    reason as why_not_tested,
from {{ ref('mart_event_uplift') }}
where metric = 'units'
order by is_tested desc, q_value asc, product_id asc, event_kind asc, signal asc
