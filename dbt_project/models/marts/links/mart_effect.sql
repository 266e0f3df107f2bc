with tested as (
    select * from {{ ref('int_links__tested') }}
),

lead_lag as (
    select * from {{ ref('mart_lead_lag') }}
),

-- A signal is tested on its scale: the SD of a count is one of its logarithm or root.
scales as (
    select distinct
        product_id,
        series as signal,
        value_scale as signal_scale,
    from {{ ref('int_daily__series') }}
    where series_role = 'signal'
),

final as (
    select
        tested.product_id,
        tested.signal,
        tested.metric,
        lead_lag.verdict,
        cast(tested.lag_days as integer) as lag_days,
        cast(tested.width_days as integer) as width_days,
        cast(tested.uplift_ratio as double) as uplift_ratio,
        cast(tested.uplift_low_ratio as double) as uplift_low_ratio,
        cast(tested.uplift_high_ratio as double) as uplift_high_ratio,
        cast(tested.minimum_detectable_effect_ratio as double)
            as minimum_detectable_effect_ratio,
        cast(tested.reliability_ratio as double) as reliability_ratio,
        scales.signal_scale,
        cast(tested.signal_sd as double) as signal_sd,
        cast(tested.signal_sd / tested.contraction_ratio as double)
            as signal_sd_corrected,
        cast(tested.contraction_ratio as double) as contraction_ratio,
        cast(tested.n_days as bigint) as n_days,
        tested.is_percentage_allowed,
        nullif(tested.percentage_reason, '') as percentage_reason,
        lead_lag.is_simulated,
    from tested
    inner join lead_lag
        on
            tested.product_id = lead_lag.product_id
            and tested.signal = lead_lag.signal
            and tested.metric = lead_lag.metric
    inner join scales
        on
            tested.product_id = scales.product_id
            and tested.signal = scales.signal
    where tested.is_tested
)

select
    product_id,
    signal,
    metric,
    verdict,
    lag_days,
    width_days,
    uplift_ratio,
    uplift_low_ratio,
    uplift_high_ratio,
    minimum_detectable_effect_ratio,
    reliability_ratio,
    signal_scale,
    signal_sd,
    signal_sd_corrected,
    contraction_ratio,
    n_days,
    is_percentage_allowed,
    percentage_reason,
    is_simulated,
from final
