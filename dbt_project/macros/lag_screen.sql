{#
    The screen of STATISTICS.md ("SQL marts: the screen"), as one statement.

    series: a relation or CTE, one row per product_id × series × date_day, dense in days
        (a day without a value is a row with value null). Columns: product_id, series,
        date_day, day_number (whole days since any fixed day), weekday, is_promo,
        is_holiday, is_stock_out, value (double, already on its scale; see
        lag_screen_scaled).
    pairs: a relation or CTE, one row per product_id × signal × metric to look at, with
        is_tested: false gives the correlations only, without any test.

    Returns one row per pair and lag: product_id, signal, metric, lag_days, correlation,
    n_days, n_eff, t_value, p_value, p_sidak, q_value, null_low, null_high, is_peak.
    lag_days > 0 means that the signal comes first.

    How it is fast: every series is lagged once, whatever the number of pairs, and none
    is joined to itself. A negative lag is the metric's lag against today's signal.
    Needs the scalar functions student_t_two_sided_p(t, df) and
    student_t_quantile(probability, df).
#}
{% macro lag_screen(series, pairs, max_lag=14, sweeps=3) %}
{%- set lag_count = 2 * max_lag + 1 -%}
with series_keys as (
    select
        product_id,
        series,
        row_number() over (order by product_id, series) as series_key,
    from (select distinct product_id, series from {{ series }})
),

observed as (
    select
        series_keys.series_key,
        all_series.day_number
        - min(all_series.day_number) over (partition by series_keys.series_key)
            as day_number,
        all_series.weekday,
        all_series.is_promo,
        all_series.is_holiday,
        all_series.is_stock_out,
        all_series.value as given_value,
        -- Sums of squares lose the small part of numbers far from 0.
        all_series.value
        - avg(all_series.value) over (partition by series_keys.series_key) as value,
    from {{ series }} as all_series
    inner join series_keys
        on
            all_series.product_id = series_keys.product_id
            and all_series.series = series_keys.series
),

-- Backfitting needs five sums of each weekday × promotion × holiday, not the days: the
-- sweeps run over some ten rows a series. Stock-out days do not shape the fit.
sweep_0 as (
    select
        series_key,
        weekday,
        is_promo,
        is_holiday,
        count(value) filter (where not is_stock_out) as days,
        coalesce(
            sum(day_number) filter (where not is_stock_out and value is not null), 0
        ) as sum_t,
        coalesce(
            sum(day_number * day_number)
                filter (where not is_stock_out and value is not null),
            0
        ) as sum_tt,
        coalesce(sum(value) filter (where not is_stock_out), 0) as sum_r,
        coalesce(sum(value * day_number) filter (where not is_stock_out), 0) as sum_tr,
        cast(0 as double) as fitted_level,
        cast(0 as double) as fitted_slope,
    from observed
    group by series_key, weekday, is_promo, is_holiday
),

{% set previous = namespace(name="sweep_0") %}
{%- for sweep in range(1, sweeps + 1) %}
{%- for part in ["weekday", "trend", "is_promo", "is_holiday"] %}
{%- set name = "sweep_" ~ sweep ~ "_" ~ part %}
{{ name }}_step as (
    select
        series_key,
        weekday,
        is_promo,
        is_holiday,
        days,
        sum_t,
        sum_tt,
        sum_r,
        sum_tr,
        fitted_level,
        fitted_slope,
        {%- if part == "trend" %}
        coalesce(
            (sum(sum_tr) over fit - sum(sum_t) over fit * sum(sum_r) over fit
            / nullif(sum(days) over fit, 0))
            / nullif(
                sum(sum_tt) over fit
                - sum(sum_t) over fit * sum(sum_t) over fit
                / nullif(sum(days) over fit, 0),
                0
            ),
            0
        ) as slope,
        coalesce(sum(sum_r) over fit / nullif(sum(days) over fit, 0), 0) as level,
        coalesce(sum(sum_t) over fit / nullif(sum(days) over fit, 0), 0) as middle,
        {%- else %}
        cast(0 as double) as slope,
        coalesce(sum(sum_r) over fit / nullif(sum(days) over fit, 0), 0) as level,
        cast(0 as double) as middle,
        {%- endif %}
    from {{ previous.name }}
    window
        fit as (
            partition by series_key{{ "" if part == "trend" else ", " ~ part }}
        )
),

{{ name }} as (
    select
        series_key,
        weekday,
        is_promo,
        is_holiday,
        days,
        sum_t,
        sum_tt,
        sum_r - (level - slope * middle) * days - slope * sum_t as sum_r,
        sum_tr - (level - slope * middle) * sum_t - slope * sum_tt as sum_tr,
        fitted_level + level - slope * middle as fitted_level,
        fitted_slope + slope as fitted_slope,
    from {{ name }}_step
),
{% set previous.name = name %}
{%- endfor %}
{%- endfor %}
residuals as (
    select
        observed.series_key,
        observed.day_number,
        observed.is_stock_out,
        observed.value
        - fitted.fitted_level
        - fitted.fitted_slope * observed.day_number as residual,
    from observed
    inner join {{ previous.name }} as fitted
        on
            observed.series_key = fitted.series_key
            and observed.weekday = fitted.weekday
            and observed.is_promo = fitted.is_promo
            and observed.is_holiday = fitted.is_holiday
),

lagged as (
    select
        series_key,
        day_number,
        residual,
        case when not is_stock_out then residual end as residual_in_stock,
        {%- for lag in range(1, max_lag + 1) %}
        lag(residual, {{ lag }}) over one_series as lag_{{ lag }},
        {%- endfor %}
    from residuals
    window one_series as (partition by series_key order by day_number)
),

-- A series that is nothing but its weekdays and trend leaves what three sweeps and the
-- computer's rounding left, not a residual.
raw_spread as (
    select
        series_key,
        stddev_samp(value) as raw_sd,
        max(abs(given_value)) as raw_max,
    from observed
    group by series_key
),

memory as (
    select
        lagged.series_key,
        stddev_samp(lagged.residual) as residual_sd,
        [
            {%- for lag in range(1, max_lag + 1) %}
            corr(lagged.residual, lagged.lag_{{ lag }}){{ "," if not loop.last }}
            {%- endfor %}
        ] as autocorrelations,
    from lagged
    group by lagged.series_key
),

usable as (
    select
        memory.series_key,
        memory.autocorrelations,
    from memory
    inner join raw_spread on memory.series_key = raw_spread.series_key
    where
        raw_spread.raw_sd > 0
        and memory.residual_sd > 1e-4 * raw_spread.raw_sd
        and memory.residual_sd > 1e-12 * raw_spread.raw_max
),

pair_keys as (
    select
        pairs.product_id,
        pairs.signal,
        pairs.metric,
        pairs.is_tested,
        signal_keys.series_key as signal_key,
        metric_keys.series_key as metric_key,
        signal_memory.autocorrelations as signal_autocorrelations,
        metric_memory.autocorrelations as metric_autocorrelations,
    from {{ pairs }} as pairs
    inner join series_keys as signal_keys
        on
            pairs.product_id = signal_keys.product_id
            and pairs.signal = signal_keys.series
    inner join series_keys as metric_keys
        on
            pairs.product_id = metric_keys.product_id
            and pairs.metric = metric_keys.series
    inner join usable as signal_memory
        on signal_keys.series_key = signal_memory.series_key
    inner join usable as metric_memory
        on metric_keys.series_key = metric_memory.series_key
),

cross_correlations as (
    select
        pair_keys.signal_key,
        pair_keys.metric_key,
        [
            {%- for lag in range(-max_lag, max_lag + 1) %}
            {%- if lag < 0 %}
            corr(signals.residual, metrics.lag_{{ -lag }})
            {%- elif lag == 0 %}
            corr(signals.residual, metrics.residual_in_stock)
            {%- else %}
            corr(signals.lag_{{ lag }}, metrics.residual_in_stock)
            {%- endif %}{{ "," if not loop.last }}
            {%- endfor %}
        ] as correlations,
        [
            {%- for lag in range(-max_lag, max_lag + 1) %}
            {%- if lag < 0 %}
            regr_count(signals.residual, metrics.lag_{{ -lag }})
            {%- elif lag == 0 %}
            regr_count(signals.residual, metrics.residual_in_stock)
            {%- else %}
            regr_count(signals.lag_{{ lag }}, metrics.residual_in_stock)
            {%- endif %}{{ "," if not loop.last }}
            {%- endfor %}
        ] as days,
    from pair_keys
    inner join lagged as signals on pair_keys.signal_key = signals.series_key
    inner join lagged as metrics
        on
            pair_keys.metric_key = metrics.series_key
            and signals.day_number = metrics.day_number
    group by pair_keys.signal_key, pair_keys.metric_key
),

by_lag as (
    select
        pair_keys.product_id,
        pair_keys.signal,
        pair_keys.metric,
        pair_keys.is_tested,
        lags.lag_days,
        case
            when
                not isnan(
                    cross_correlations.correlations[lags.lag_days + {{ max_lag + 1 }}]
                )
                then
                    greatest(
                        least(
                            cross_correlations.correlations[
                                lags.lag_days + {{ max_lag + 1 }}
                            ],
                            1
                        ),
                        -1
                    )
        end as correlation,
        cross_correlations.days[lags.lag_days + {{ max_lag + 1 }}] as n_days,
        -- Bartlett: how much less n such days tell than n independent ones.
        greatest(
            1,
            1 + 2 * (
                {%- for lag in range(1, max_lag + 1) %}
                greatest(1 - {{ lag }} / nullif(
                    cross_correlations.days[{{ max_lag + 1 }}], 0
                ), 0)
                * {{ lag_screen_finite("pair_keys.signal_autocorrelations[" ~ lag ~ "]") }}
                * {{ lag_screen_finite("pair_keys.metric_autocorrelations[" ~ lag ~ "]") }}
                {{ "+" if not loop.last }}
                {%- endfor %}
            )
        ) as variance_inflation,
    from pair_keys
    inner join cross_correlations
        on
            pair_keys.signal_key = cross_correlations.signal_key
            and pair_keys.metric_key = cross_correlations.metric_key
    cross join (
        select unnest(range(-{{ max_lag }}, {{ max_lag + 1 }})) as lag_days
    ) as lags
),

-- n_days is counted at the lag itself, which is n · (1 - |k| / n) for a gapless series
-- and stays right for one with gaps.
effective as (
    select
        product_id,
        signal,
        metric,
        is_tested,
        lag_days,
        correlation,
        n_days,
        n_days / variance_inflation as n_eff,
    from by_lag
),

tested as (
    select
        product_id,
        signal,
        metric,
        is_tested,
        lag_days,
        correlation,
        n_days,
        n_eff,
        case
            when is_tested and n_eff > 3
                then
                    correlation
                    * sqrt((n_eff - 2) / greatest(1 - correlation * correlation, 1e-12))
        end as t_value,
        case
            when n_eff > 3
                then
                    student_t_quantile(
                        1 - (1 - pow(0.95, 1.0 / {{ lag_count }})) / 2, n_eff - 2
                    )
        end as band_t,
    from effective
),

p_values as (
    select
        product_id,
        signal,
        metric,
        lag_days,
        correlation,
        n_days,
        n_eff,
        t_value,
        student_t_two_sided_p(t_value, n_eff - 2) as p_value,
        band_t / sqrt(n_eff - 2 + band_t * band_t) as null_high,
    from tested
),

-- The best lag: the smallest p (the largest |r| where nothing is tested), then the lag
-- nearest to 0, then the one where the signal comes first.
ranked as (
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
        null_high,
        row_number() over (
            partition by product_id, signal, metric
            order by
                p_value asc nulls last,
                abs(t_value) desc nulls last,
                abs(correlation) desc nulls last,
                abs(lag_days) asc,
                lag_days desc
        ) as lag_rank,
    from p_values
),

best as (
    select
        product_id,
        signal,
        metric,
        -- Šidák; for a p so small that 1 - p is 1, its first-order form.
        case
            when p_value < 1e-9 then {{ lag_count }} * p_value
            else 1 - pow(1 - p_value, {{ lag_count }})
        end as p_sidak,
    from ranked
    where lag_rank = 1 and p_value is not null
),

-- Benjamini-Hochberg over the products of one signal and metric.
stepped as (
    select
        product_id,
        signal,
        metric,
        p_sidak,
        -- The factor first: it is at least 1, so no rounding takes q below p.
        p_sidak * (
            count(*) over (partition by signal, metric)
            / row_number() over (
                partition by signal, metric order by p_sidak, product_id
            )
        ) as step,
    from best
),

families as (
    select
        product_id,
        signal,
        metric,
        p_sidak,
        least(
            1,
            min(step) over (
                partition by signal, metric
                order by p_sidak desc, product_id desc
                rows between unbounded preceding and current row
            )
        ) as q_value,
    from stepped
)

select
    ranked.product_id,
    ranked.signal,
    ranked.metric,
    ranked.lag_days,
    ranked.correlation,
    ranked.n_days,
    ranked.n_eff,
    ranked.t_value,
    ranked.p_value,
    families.p_sidak,
    families.q_value,
    -ranked.null_high as null_low,
    ranked.null_high,
    ranked.lag_rank = 1 and ranked.correlation is not null as is_peak,
from ranked
left join families
    on
        ranked.product_id = families.product_id
        and ranked.signal = families.signal
        and ranked.metric = families.metric
{% endmacro %}

{# An undefined correlation is NaN in DuckDB and null elsewhere: neither counts. #}
{% macro lag_screen_finite(expression) -%}
case when isnan({{ expression }}) then 0 else coalesce({{ expression }}, 0) end
{%- endmacro %}

{#
    The scale of one value: 'log' ln(1 + y), 'sqrt' √(y + .375), 'identity' y. Both
    curves go on below 0 as they rise above it: a day of returns can be negative.
#}
{% macro lag_screen_scaled(value, scale) -%}
case {{ scale }}
    when 'log' then sign({{ value }}) * ln(1 + abs({{ value }}))
    when 'sqrt'
        then
            sqrt(0.375)
            + sign({{ value }}) * (sqrt(abs({{ value }}) + 0.375) - sqrt(0.375))
    else {{ value }}
end
{%- endmacro %}
