with pooled as (
    select * from {{ ref('int_links__pooled') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

families as (
    select
        signal,
        metric,
        bool_or(is_simulated) as is_simulated,
    from sufficiency
    group by signal, metric
),

final as (
    select
        pooled.category,
        pooled.signal,
        pooled.metric,
        cast(pooled.products_count as bigint) as products_count,
        cast(pooled.n_days as bigint) as n_days,
        cast(pooled.lag_days as integer) as lag_days,
        cast(pooled.width_days as integer) as width_days,
        cast(pooled.z_value as double) as z_value,
        cast(pooled.p_value as double) as p_value,
        cast(pooled.q_value as double) as q_value,
        cast(pooled.uplift_ratio as double) as uplift_ratio,
        cast(pooled.uplift_low_ratio as double) as uplift_low_ratio,
        cast(pooled.uplift_high_ratio as double) as uplift_high_ratio,
        cast(pooled.reliability_ratio as double) as reliability_ratio,
        cast(pooled.own_variance_ratio as double) as own_variance_ratio,
        cast(pooled.summed_lag_days as integer) as summed_lag_days,
        cast(pooled.summed_n_days as bigint) as summed_n_days,
        cast(pooled.summed_p_value as double) as summed_p_value,
        cast(pooled.summed_uplift_ratio as double) as summed_uplift_ratio,
        cast(pooled.summed_uplift_low_ratio as double) as summed_uplift_low_ratio,
        cast(pooled.summed_uplift_high_ratio as double) as summed_uplift_high_ratio,
        pooled.is_percentage_allowed,
        pooled.is_tested,
        pooled.is_refused,
        nullif(pooled.reason, '') as reason,
        families.is_simulated,
    from pooled
    inner join families
        on
            pooled.signal = families.signal
            and pooled.metric = families.metric
)

select
    category,
    signal,
    metric,
    products_count,
    n_days,
    lag_days,
    width_days,
    z_value,
    p_value,
    q_value,
    uplift_ratio,
    uplift_low_ratio,
    uplift_high_ratio,
    reliability_ratio,
    own_variance_ratio,
    summed_lag_days,
    summed_n_days,
    summed_p_value,
    summed_uplift_ratio,
    summed_uplift_low_ratio,
    summed_uplift_high_ratio,
    is_percentage_allowed,
    is_tested,
    is_refused,
    reason,
    is_simulated,
from final
