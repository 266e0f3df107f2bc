{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    verdict,
    lag_days,
    round(100 * uplift_low_ratio) as low_pct,
    round(100 * uplift_high_ratio) as high_pct,
    q_value,
    caveat,
from {{ ref('mart_insights') }}
where is_primary
order by q_value nulls last, product_id
