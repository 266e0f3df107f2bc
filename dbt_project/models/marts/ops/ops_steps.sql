-- A view: so that the steps of the run that builds are in what it publishes.
{{ config(materialized='view') }}

with steps as (
    select * from {{ source('pipeline', 'steps') }}
),

-- Each step beside its 20 latest times before that: those that had something to do
-- and ended.
earlier as (
    select
        steps.run_id,
        steps.step,
        before.duration_seconds,
    from steps
    inner join steps as before
        on
            steps.step = before.step
            and (before.started_at, before.run_id) < (steps.started_at, steps.run_id)
            and before.step_status = 'done'
    qualify row_number() over (
        partition by steps.run_id, steps.step
        order by before.started_at desc, before.run_id desc
    ) <= 20
),

usual as (
    select
        run_id,
        step,
        count(*) as earlier_runs_count,
        median(ln(1 + duration_seconds)) as median_log,
        mad(ln(1 + duration_seconds)) as deviation_log,
    from earlier
    group by run_id, step
),

bands as (
    select
        run_id,
        step,
        earlier_runs_count,
        case when earlier_runs_count >= 5 then exp(median_log) - 1 end as usual_seconds,
        -- Twice the usual and half a minute more are inside whatever the spread is.
        case
            when earlier_runs_count >= 5
                then greatest(
                    exp(median_log + greatest(3.5 * 1.4826 * deviation_log, ln(2))) - 1,
                    exp(median_log) + 29
                )
        end as highest_usual_seconds,
    from usual
)

select
    steps.run_id || '|' || steps.step as step_key,
    steps.run_id,
    steps.step,
    steps.step_status,
    steps.duration_seconds,
    bands.usual_seconds,
    bands.highest_usual_seconds,
    cast(coalesce(bands.earlier_runs_count, 0) as bigint) as earlier_runs_count,
    coalesce(steps.duration_seconds > bands.highest_usual_seconds, false) as is_slow,
    steps.is_simulated,
    steps.started_at,
from steps
left join bands on steps.run_id = bands.run_id and steps.step = bands.step
