with checks as (
    select * from {{ ref('int_links__stability') }}
),

lead_lag as (
    select * from {{ ref('mart_lead_lag') }}
),

final as (
    select
        checks.product_id,
        checks.signal,
        checks.metric,
        checks.check_kind,
        checks.check_name,
        checks.is_agreeing,
        cast(checks.p_value as double) as p_value,
        cast(checks.lag_days as integer) as lag_days,
        cast(
            avg(
                case
                    when checks.is_agreeing then 1.0
                    when not checks.is_agreeing then 0.0
                end
            )
                over (
                    partition by checks.product_id, checks.signal, checks.metric
                )
            as double
        ) as stability_ratio,
        cast(
            count(checks.is_agreeing) over (
                partition by checks.product_id, checks.signal, checks.metric
            ) as bigint
        ) as checks_count,
        lead_lag.is_simulated,
    from checks
    inner join lead_lag
        on
            checks.product_id = lead_lag.product_id
            and checks.signal = lead_lag.signal
            and checks.metric = lead_lag.metric
)

select
    product_id,
    signal,
    metric,
    check_kind,
    check_name,
    is_agreeing,
    p_value,
    lag_days,
    stability_ratio,
    checks_count,
    is_simulated,
from final
