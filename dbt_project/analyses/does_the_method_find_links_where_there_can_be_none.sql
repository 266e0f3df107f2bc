{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    signal,
    metric,
    tests_count,
    round(100 * low, 1) as low_pct,
    round(100 * share_below_05_ratio, 1) as found_pct,
    round(100 * high, 1) as high_pct,
    is_as_expected,
from {{ ref('mart_placebo_audit') }}
order by signal, metric
