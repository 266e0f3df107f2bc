{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    source,
    stream,
    record_count,
    make_timestamp(epoch_us(last_fetched_at)) as last_fetched_utc,
    round((epoch(max(last_fetched_at) over ()) - epoch(last_fetched_at)) / 3600)
        as hours_behind,
    reject_count,
    round(100 * reject_count / nullif(reject_count + loaded_row_count, 0), 2)
        as rejected_pct,
from {{ ref('ops_sources') }}
where record_count > 0 or reject_count > 0
order by hours_behind desc nulls last, source asc, stream asc
