{%- set signals = lag_screen_signals() -%}
{%- set outcomes = lag_screen_outcomes() -%}
with daily_signals as (
    select * from {{ ref('int_daily__signals') }}
),

other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

outcomes as (
    select * from {{ ref('int_daily__outcomes') }}
),

long_shape as (
    {%- for signal in signals %}
    select
        product_id,
        '{{ signal }}' as series,
        'signal' as series_role,
        '{{ "count" if signal.endswith("_count") else "ratio" }}' as series_kind,
        date_day,
        cast({{ signal }} as double) as observed_value,
    from daily_signals
    where {{ signal }} is not null
    union all
    {%- endfor %}
    {%- for outcome in outcomes %}
    select
        product_id,
        '{{ outcome.metric }}' as series,
        'outcome' as series_role,
        '{{ outcome.kind }}' as series_kind,
        date_day,
        cast({{ outcome.metric }} as double) as observed_value,
    from daily_signals
    where {{ outcome.metric }} is not null
    union all
    {%- endfor %}
    select
        other_metrics.product_id,
        other_metrics.metric as series,
        'outcome' as series_role,
        outcomes.metric_kind as series_kind,
        other_metrics.date_day,
        other_metrics.metric_value as observed_value,
    from other_metrics
    inner join outcomes
        on
            other_metrics.metric = outcomes.metric
            and outcomes.metric_family = 'data_set'
),

spans as (
    select
        product_id,
        series,
        series_role,
        series_kind,
        min(date_day) as first_date,
        max(date_day) as last_date,
        quantile_cont(observed_value, 0.1) as low_value,
    from long_shape
    group by product_id, series, series_role, series_kind
),

scales as (
    select
        product_id,
        series,
        series_role,
        first_date,
        last_date,
        case
            when series_kind in ('ratio', 'rating') or low_value < 0 then 'identity'
            when low_value >= 10 then 'log'
            else 'sqrt'
        end as value_scale,
    from spans
),

-- Weekdays on which the series never has a value are closed to it.
open_weekdays as (
    select distinct
        product_id,
        series,
        isodow(date_day) as iso_weekday,
    from long_shape
),

dense as (
    select
        scales.product_id,
        scales.series,
        scales.series_role,
        daily_signals.date_day,
        scales.value_scale,
        long_shape.observed_value,
        daily_signals.is_promo,
        daily_signals.is_holiday,
        scales.series_role = 'outcome' and daily_signals.is_stock_out as is_stock_out,
        case
            when scales.series in ('units', 'net_sales', 'orders_count')
                then daily_signals.is_open
            else open_weekdays.iso_weekday is not null
        end as is_expected,
        daily_signals.is_simulated,
    from scales
    inner join daily_signals
        on
            scales.product_id = daily_signals.product_id
            and scales.first_date <= daily_signals.date_day
            and scales.last_date >= daily_signals.date_day
    left join long_shape
        on
            scales.product_id = long_shape.product_id
            and scales.series = long_shape.series
            and daily_signals.date_day = long_shape.date_day
    left join open_weekdays
        on
            scales.product_id = open_weekdays.product_id
            and scales.series = open_weekdays.series
            and isodow(daily_signals.date_day) = open_weekdays.iso_weekday
),

final as (
    select
        product_id,
        series,
        series_role,
        date_day,
        date_diff('day', date '1970-01-01', date_day) as day_number,
        isodow(date_day) as weekday,
        value_scale,
        observed_value,
        {{ lag_screen_scaled('observed_value', 'value_scale') }} as scaled_value,
        is_promo,
        is_holiday,
        is_stock_out,
        is_expected,
        is_simulated,
    from dense
)

select * from final
