{#- raw.runs is written by the pipeline; a file that only the loader saw lacks it. -#}
{%- set runs_relation = source('pipeline', 'runs') -%}
{%- set has_runs = execute and adapter.get_relation(
    database=target.database, schema='raw', identifier='runs'
) is not none -%}
with load_log as (
    select * from {{ source('pipeline', 'load_log') }}
),

runs as (
    {%- if has_runs %}
    select
        run_id,
        command,
        status,
        exit_code,
        message,
        started_at,
        ended_at,
    from {{ runs_relation }}
    {%- else %}
    select
        cast(null as varchar) as run_id,
        cast(null as varchar) as command,
        cast(null as varchar) as status,
        cast(null as integer) as exit_code,
        cast(null as varchar) as message,
        cast(null as timestamptz) as started_at,
        cast(null as timestamptz) as ended_at,
    where false
    {%- endif %}
),

loads as (
    select
        run_id,
        count(*) as file_count,
        count(distinct source || '/' || stream) as stream_count,
        sum(coalesce(row_count, 0)) as row_count,
        sum(coalesce(reject_count, 0)) as reject_count,
        sum(coalesce(byte_count, 0)) as byte_count,
        coalesce(bool_or(is_simulated), false) as is_simulated,
        min(loaded_at) as first_loaded_at,
        max(loaded_at) as last_loaded_at,
        min(load_id) as first_load_id,
        max(load_id) as last_load_id,
    from load_log
    where run_id is not null
    group by run_id
)

select
    coalesce(runs.run_id, loads.run_id) as run_id,
    runs.command,
    runs.status,
    cast(runs.exit_code as integer) as exit_code,
    runs.message,
    cast(coalesce(loads.file_count, 0) as bigint) as file_count,
    cast(coalesce(loads.stream_count, 0) as bigint) as stream_count,
    cast(coalesce(loads.row_count, 0) as bigint) as row_count,
    cast(coalesce(loads.reject_count, 0) as bigint) as reject_count,
    cast(coalesce(loads.byte_count, 0) as bigint) as byte_count,
    coalesce(
        loads.is_simulated, {{ 'true' if setting_boolean('is_simulated') else 'false' }}
    ) as is_simulated,
    runs.started_at,
    runs.ended_at,
    loads.first_loaded_at,
    loads.last_loaded_at,
    cast(loads.first_load_id as bigint) as first_load_id,
    cast(loads.last_load_id as bigint) as last_load_id,
from runs
full join loads on runs.run_id = loads.run_id
