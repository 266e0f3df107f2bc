{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    source,
    unit,
    month_date,
    used_amount,
    limit_amount,
    round(100 * used_ratio, 1) as used_pct,
from {{ ref('ops_budget') }}
qualify month_date = max(month_date) over ()
order by used_ratio desc nulls last, source asc, unit asc
