{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    is_warning,
    source,
    stream,
    field_path,
    drift,
    earlier_type,
    recent_type,
    round(100 * earlier_share_ratio, 1) as earlier_pct,
    round(100 * recent_share_ratio, 1) as recent_pct,
    recent_sampled_count,
    last_seen_date,
from {{ ref('ops_schema_drift') }}
where drift != 'steady'
order by is_warning desc, last_seen_date desc, field_key asc
