with skill as (
    select * from {{ ref('int_links__skill') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

final as (
    select
        skill.product_id,
        skill.signal,
        skill.metric,
        cast(skill.horizon_days as integer) as horizon_days,
        cast(skill.p_value as double) as p_value,
        cast(skill.q_value as double) as q_value,
        cast(skill.improvement_ratio as double) as improvement_ratio,
        cast(skill.mase_without as double) as mase_without,
        cast(skill.mase_with as double) as mase_with,
        cast(skill.forecasts_count as bigint) as forecasts_count,
        cast(skill.lag_days as integer) as lag_days,
        skill.is_predictive,
        skill.is_tested,
        nullif(skill.reason, '') as reason,
        sufficiency.is_simulated,
    from skill
    inner join sufficiency
        on
            skill.product_id = sufficiency.product_id
            and skill.signal = sufficiency.signal
            and skill.metric = sufficiency.metric
)

select
    product_id,
    signal,
    metric,
    horizon_days,
    p_value,
    q_value,
    improvement_ratio,
    mase_without,
    mase_with,
    forecasts_count,
    lag_days,
    is_predictive,
    is_tested,
    reason,
    is_simulated,
from final
