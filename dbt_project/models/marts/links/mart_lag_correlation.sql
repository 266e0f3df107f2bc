with sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

days as (
    select * from {{ ref('int_daily__series') }}
),

series as (
    select
        product_id,
        series,
        date_day,
        day_number,
        weekday,
        is_promo,
        is_holiday,
        is_stock_out,
        scaled_value as value,
    from days
),

-- Too little is not looked at; what is only described gets correlations without a test.
pairs as (
    select
        product_id,
        signal,
        metric,
        gate in ('tested', 'full') as is_tested,
    from sufficiency
    where gate in ('descriptive', 'tested', 'full')
),

screen as (
    {{ lag_screen('series', 'pairs') | indent(4) }}
),

lags as (
    select unnest(range(-14, 15)) as lag_days
),

-- What the model in Python makes of the same pair, where it tests it.
whitened as (
    select * from {{ ref('int_links__lags') }}
),

final as (
    select
        sufficiency.product_id,
        sufficiency.signal,
        sufficiency.metric,
        cast(lags.lag_days as integer) as lag_days,
        cast(screen.correlation as double) as correlation,
        cast(coalesce(screen.n_days, 0) as bigint) as n_days,
        cast(screen.n_eff as double) as n_eff,
        cast(screen.t_value as double) as t_value,
        cast(screen.p_value as double) as p_value,
        cast(screen.p_sidak as double) as p_sidak,
        cast(screen.q_value as double) as q_value,
        cast(screen.null_low as double) as null_low,
        cast(screen.null_high as double) as null_high,
        cast(whitened.whitened_correlation as double) as whitened_correlation,
        cast(whitened.whitened_band as double) as whitened_null_high,
        coalesce(screen.is_peak, false) as is_peak,
        case
            when
                sufficiency.gate not in ('tested', 'full')
                or screen.q_value is null
                then 'insufficient'
            when screen.q_value <= 0.20 then 'watchlist'
            else 'none'
        end as screen_verdict,
        sufficiency.is_simulated,
    from sufficiency
    cross join lags
    left join screen
        on
            sufficiency.product_id = screen.product_id
            and sufficiency.signal = screen.signal
            and sufficiency.metric = screen.metric
            and lags.lag_days = screen.lag_days
    left join whitened
        on
            sufficiency.product_id = whitened.product_id
            and sufficiency.signal = whitened.signal
            and sufficiency.metric = whitened.metric
            and lags.lag_days = whitened.lag_days
)

select
    product_id,
    signal,
    metric,
    lag_days,
    correlation,
    n_days,
    n_eff,
    t_value,
    p_value,
    p_sidak,
    q_value,
    null_low,
    null_high,
    whitened_correlation,
    whitened_null_high,
    is_peak,
    screen_verdict,
    is_simulated,
from final
