-- Both series less their weekday means and their linear trend, which are fitted at
-- once: value and day number lose their weekday means first, then value its slope.
with
observed as (
    select
        'signal' as series,
        earlier.day,
        earlier.value
    from daily_signal(product, signal) as earlier
    where earlier.value is not null
    union all
    select
        'metric' as series,
        later.day,
        later.value
    from daily_signal(product, metric) as later
    where later.value is not null
),

centred as (
    select
        series,
        day,
        value,
        value - avg(value) over by_weekday as value_rest,
        date_diff('day', date '1970-01-01', day)
        - avg(date_diff('day', date '1970-01-01', day)) over by_weekday as day_rest
    from observed
    window by_weekday as (partition by series, isodow(day))
),

slopes as (
    select
        series,
        coalesce(sum(value_rest * day_rest) / nullif(sum(day_rest * day_rest), 0), 0)
            as slope,
        max(abs(value)) as largest
    from centred
    group by series
),

rests as (
    select
        centred.series,
        centred.day,
        centred.value_rest - slopes.slope * centred.day_rest as rest,
        slopes.largest
    from centred
    inner join slopes on centred.series = slopes.series
),

lags as (
    select cast(numbers.lag as integer) as lag
    from unnest(range(-cast(max_lag as bigint), cast(max_lag as bigint) + 1))
        as numbers (lag)
),

pairs as (
    select
        lags.lag,
        earlier.rest as signal_rest,
        later.rest as metric_rest,
        earlier.largest as signal_largest,
        later.largest as metric_largest
    from lags
    cross join rests as earlier
    inner join rests as later
        on later.day = earlier.day + lags.lag
    where earlier.series = 'signal' and later.series = 'metric'
),

measured as (
    select
        lag,
        corr(signal_rest, metric_rest) as correlation,
        count(*) as n,
        -- What is left of a constant is rounding, and must not correlate.
        stddev_pop(signal_rest) > 1e-9 * max(signal_largest)
        and stddev_pop(metric_rest) > 1e-9 * max(metric_largest) as is_varied
    from pairs
    group by lag
)

select
    lags.lag,
    case
        when measured.n >= 14 and measured.is_varied then measured.correlation
    end as correlation,
    coalesce(measured.n, 0) as n
from lags
left join measured on lags.lag = measured.lag
order by lags.lag
