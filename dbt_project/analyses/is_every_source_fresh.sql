{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    is_warning,
    source,
    stream,
    freshness_state,
    round(age_hours, 1) as age_hours,
    round(cadence_hours, 1) as cadence_hours,
    warn_after_hours,
    failed_asks_count,
from {{ ref('ops_freshness') }}
where freshness_state != 'off'
order by is_warning desc, age_hours desc nulls last, source_stream_key asc
