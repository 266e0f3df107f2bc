{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    date_day,
    product_id,
    metric,
    observed_value,
    round(expected_value, 2) as expected_value,
    round(robust_z, 1) as robust_z,
    q_value,
    direction,
from {{ ref('mart_anomalies') }}
where is_anomaly and known_reason is null
order by date_day desc, q_value asc, product_id asc, metric asc
