{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    is_warning,
    check_name,
    source,
    flagged_count,
    total_count,
    round(100 * flagged_ratio, 1) as flagged_pct,
from {{ ref('ops_quality') }}
where flagged_count > 0
order by is_warning desc, flagged_ratio desc nulls last, check_key asc
