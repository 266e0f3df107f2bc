with load_log as (
    select * from {{ source('pipeline', 'load_log') }}
),

raw_rows as (
    {%- for source_name, stream in ops_streams() %}
    select
        '{{ source_name }}' as source,
        '{{ stream }}' as stream,
        count(*) as row_count,
        count(distinct record_id) as record_count,
        min(fetched_at) as first_fetched_at,
        max(fetched_at) as last_fetched_at,
        coalesce(bool_or(is_simulated), false) as is_simulated,
    from {{ source(source_name, stream) }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

loads as (
    select
        source,
        stream,
        count(*) as file_count,
        sum(row_count) as loaded_row_count,
        sum(reject_count) as reject_count,
        max(load_id) as last_load_id,
        max(loaded_at) as last_loaded_at,
        max_by(run_id, load_id) as last_run_id,
    from load_log
    group by source, stream
)

select
    raw_rows.source || '/' || raw_rows.stream as source_stream_key,
    raw_rows.source,
    raw_rows.stream,
    cast(raw_rows.row_count as bigint) as row_count,
    cast(raw_rows.record_count as bigint) as record_count,
    cast(coalesce(loads.reject_count, 0) as bigint) as reject_count,
    cast(coalesce(loads.file_count, 0) as bigint) as file_count,
    cast(coalesce(loads.loaded_row_count, 0) as bigint) as loaded_row_count,
    raw_rows.is_simulated,
    raw_rows.first_fetched_at,
    raw_rows.last_fetched_at,
    loads.last_loaded_at,
    cast(loads.last_load_id as bigint) as last_load_id,
    loads.last_run_id,
from raw_rows
left join loads
    on raw_rows.source = loads.source and raw_rows.stream = loads.stream
