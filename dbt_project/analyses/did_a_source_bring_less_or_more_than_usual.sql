{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    source,
    stream,
    fetched_date,
    row_count,
    round(low_rows) as low_rows,
    round(usual_rows) as usual_rows,
    round(high_rows) as high_rows,
    earlier_days_count,
    volume_state,
    is_complete,
from {{ ref('ops_volumes') }}
where volume_state is not null
qualify
    row_number() over (partition by source, stream order by fetched_date desc) <= 14
order by volume_state = 'usual' asc, fetched_date desc, source asc, stream asc
