with

anomalies as (
    select * from {{ ref('int_daily__anomalies') }}
),

series as (
    select * from {{ ref('int_daily__series') }}
),

final as (
    select
        anomalies.product_id,
        anomalies.metric,
        anomalies.date_day,
        series.series_role as metric_role,
        series.observed_value,
        {{ unscaled('anomalies.expected_scaled_value', 'series.value_scale') }}
            as expected_value,
        anomalies.robust_z,
        anomalies.p_value,
        anomalies.q_value,
        anomalies.is_anomaly,
        case
            when anomalies.is_anomaly and anomalies.robust_z > 0 then 'above'
            when anomalies.is_anomaly then 'below'
        end as direction,
        {#- What stops sales goes before what moves them. #}
        case
            when series.is_stock_out then 'stock_out'
            when series.is_promo then 'promotion'
            when series.is_holiday then 'holiday'
        end as known_reason,
        series.is_simulated,
    from anomalies
    inner join series
        on
            anomalies.product_id = series.product_id
            and anomalies.metric = series.series
            and anomalies.date_day = series.date_day
)

select
    product_id,
    metric,
    date_day,
    metric_role,
    observed_value,
    expected_value,
    robust_z,
    p_value,
    q_value,
    is_anomaly,
    direction,
    known_reason,
    is_simulated,
from final
