{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    source,
    stream,
    record_count,
    reject_count,
    round(100 * reject_count / nullif(reject_count + loaded_row_count, 0), 2)
        as rejected_pct,
from {{ ref('ops_sources') }}
where record_count > 0 or reject_count > 0
order by rejected_pct desc nulls last, source asc, stream asc
