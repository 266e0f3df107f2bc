-- A view: a build's results are known only when it has ended, and what is published is
-- read after that.
{{ config(materialized='view') }}

with results as (
    select * from {{ source('pipeline', 'test_results') }}
)

select
    run_id || '|' || node_id as result_key,
    run_id,
    node_kind,
    node_name,
    tested_model,
    layer,
    result_status,
    failures_count,
    duration_seconds,
    is_simulated,
    finished_at,
from results
