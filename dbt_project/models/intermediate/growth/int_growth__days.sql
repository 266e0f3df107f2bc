{#-
Every day of the whole months in which a series has any value: what is missing before the
first day, after the cut-off and in between is what makes a month partial.
-#}
{%- set core = growth_metrics() -%}

with

daily as (
    select * from {{ ref('int_daily__signals') }}
),

other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

outcomes as (
    select * from {{ ref('int_daily__outcomes') }}
),

long_shape as (
    {%- for metric in core %}
    select
        product_id,
        '{{ metric.metric }}' as metric,
        '{{ metric.kind }}' as value_kind,
        '{{ metric.family }}' as metric_family,
        {{ 'true' if metric.is_count else 'false' }} as is_count,
        date_day,
        cast({{ metric.column }} as double) as day_value,
        is_simulated,
    from daily
    union all
    {%- endfor %}
    {#- Of a data set's metric nobody knows whether it adds up. #}
    select
        other_metrics.product_id,
        other_metrics.metric,
        'mean' as value_kind,
        'data_set' as metric_family,
        false as is_count,
        other_metrics.date_day,
        other_metrics.metric_value as day_value,
        other_metrics.is_simulated,
    from other_metrics
    inner join outcomes
        on
            other_metrics.metric = outcomes.metric
            and outcomes.metric_family = 'data_set'
),

observed as (
    select *
    from long_shape
    where day_value is not null and isfinite(day_value)
),

spans as (
    select
        product_id,
        metric,
        value_kind,
        metric_family,
        is_count,
        cast(date_trunc('month', min(date_day)) as date) as first_day,
        last_day(max(date_day)) as last_day,
        bool_or(is_simulated) as is_simulated,
    from observed
    group by product_id, metric, value_kind, metric_family, is_count
),

days as (
    select
        * exclude (first_day, last_day),
        cast(
            unnest(generate_series(
                cast(first_day as timestamp),
                cast(last_day as timestamp),
                interval 1 day
            )) as date
        ) as date_day,
    from spans
),

{#- A weekday on which the series never has a value is closed to it. -#}
open_weekdays as (
    select distinct
        product_id,
        metric,
        isodow(date_day) as iso_weekday,
    from observed
),

final as (
    select
        days.product_id,
        days.metric,
        days.value_kind,
        days.metric_family,
        days.is_count,
        cast(date_trunc('month', days.date_day) as date) as month_start_date,
        days.date_day,
        observed.day_value,
        observed.day_value is not null
        or (
            open_weekdays.iso_weekday is not null
            and (days.metric_family != 'sales' or coalesce(daily.is_open, true))
        ) as is_expected,
        days.is_simulated,
    from days
    left join observed
        on
            days.product_id = observed.product_id
            and days.metric = observed.metric
            and days.date_day = observed.date_day
    left join open_weekdays
        on
            days.product_id = open_weekdays.product_id
            and days.metric = open_weekdays.metric
            and isodow(days.date_day) = open_weekdays.iso_weekday
    left join daily
        on
            days.product_id = daily.product_id
            and days.date_day = daily.date_day
)

select * from final
