{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
with newest as (
    select *
    from {{ ref('ops_test_results') }}
    qualify finished_at = max(finished_at) over ()
)

select
    node_kind,
    node_name,
    result_status,
    failures_count,
    round(duration_seconds, 2) as seconds,
from newest
qualify
    result_status not in ('pass', 'success')
    or row_number() over (order by duration_seconds desc nulls last, result_key asc)
    <= 20
order by
    result_status in ('pass', 'success') asc,
    duration_seconds desc nulls last,
    result_key asc
