with products as (
    select * from {{ ref('dim_products') }}
),

outcomes as (
    select * from {{ ref('int_daily__outcomes') }}
),

series as (
    select * from {{ ref('int_daily__series') }}
),

daily_signals as (
    select * from {{ ref('int_daily__signals') }}
),

signals as (
    select
        unnest([
            {%- for signal in lag_screen_signals() %}
            '{{ signal }}'{{ "," if not loop.last }}
            {%- endfor %}
        ]) as signal,
),

-- Every product with every signal and outcome, so that no pair is missing by accident.
pairs as (
    select
        products.product_id,
        signals.signal,
        outcomes.metric,
        outcomes.metric_kind,
        outcomes.metric_family,
    from products
    cross join signals
    cross join outcomes
),

volumes as (
    select
        product_id,
        avg(posts_count) as posts_per_day,
        avg(units) as units_per_day,
        avg(reviews_count) as reviews_per_day,
        1 - avg(sentiment_se * sentiment_se)
        / nullif(var_samp(sentiment_mean), 0) as mood_reliability,
        bool_or(is_simulated) as is_simulated,
    from daily_signals
    group by product_id
),

sold as (
    select
        product_id,
        series,
        avg(case when observed_value > 0 then 1.0 else 0.0 end) as days_sold_ratio,
        avg(observed_value) as mean_value,
    from series
    where observed_value is not null
    group by product_id, series
),

posts_days as (
    select
        product_id,
        date_day,
        observed_value,
    from series
    where series = 'posts_count'
),

-- Days inside the span of both series. A stock-out is known: it is neither an observed
-- day of the lead test nor a missing one, but it is a day looked at. A weekday that
-- either series never has is closed.
overlap as (
    select
        signal_days.product_id,
        signal_days.series as signal,
        outcome_days.series as metric,
        count(*) filter (
            where
            signal_days.observed_value is not null
            and outcome_days.observed_value is not null
            and not outcome_days.is_stock_out
        ) as days_observed,
        count(*) filter (
            where outcome_days.is_expected and signal_days.is_expected
        ) as days_open,
        count(*) filter (
            where
            outcome_days.is_expected
            and signal_days.is_expected
            and not outcome_days.is_stock_out
        ) as days_expected,
        count(*) filter (
            where
            outcome_days.is_expected
            and signal_days.is_expected
            and not outcome_days.is_stock_out
            and (
                signal_days.observed_value is null
                or outcome_days.observed_value is null
            )
        ) as days_missing,
        stddev_samp(signal_days.observed_value) filter (
            where
            outcome_days.observed_value is not null and not outcome_days.is_stock_out
        ) as signal_sd,
        stddev_samp(outcome_days.observed_value) filter (
            where
            signal_days.observed_value is not null and not outcome_days.is_stock_out
        ) as outcome_sd,
        avg(outcome_days.observed_value) as outcome_per_day,
        bool_or(outcome_days.value_scale = 'identity') as is_identity,
        avg(posts_days.observed_value) as posts_per_day,
    from series as signal_days
    inner join series as outcome_days
        on
            signal_days.product_id = outcome_days.product_id
            and signal_days.date_day = outcome_days.date_day
    left join posts_days
        on
            signal_days.product_id = posts_days.product_id
            and signal_days.date_day = posts_days.date_day
    where signal_days.series_role = 'signal' and outcome_days.series_role = 'outcome'
    group by signal_days.product_id, signal_days.series, outcome_days.series
),

final as (
    select
        pairs.product_id,
        pairs.signal,
        pairs.metric,
        pairs.metric_kind,
        pairs.metric_family,
        coalesce(overlap.days_observed, 0) as days_observed,
        coalesce(overlap.days_open, 0) as days_open,
        coalesce(overlap.days_expected, 0) as days_expected,
        coalesce(overlap.days_missing, 0) as days_missing,
        overlap.days_missing / nullif(overlap.days_expected, 0) as missing_day_ratio,
        coalesce(overlap.posts_per_day, volumes.posts_per_day) as posts_per_day,
        volumes.units_per_day,
        volumes.reviews_per_day,
        overlap.outcome_per_day,
        volumes.mood_reliability,
        sold.days_sold_ratio,
        sold.mean_value,
        coalesce(overlap.signal_sd > 0 and overlap.outcome_sd > 0, false)
            as has_variance,
        coalesce(
            case pairs.metric_family
                when 'sales' then volumes.units_per_day < 3
                when 'reviews' then volumes.reviews_per_day < 3
            end,
            false
        )
        or coalesce(overlap.outcome_per_day < 3 and not overlap.is_identity, false)
            as is_low_outcome,
        coalesce(overlap.posts_per_day, volumes.posts_per_day) < 3 as is_low_posts,
        coalesce(volumes.is_simulated, false) as is_simulated,
    from pairs
    left join overlap
        on
            pairs.product_id = overlap.product_id
            and pairs.signal = overlap.signal
            and pairs.metric = overlap.metric
    left join volumes on pairs.product_id = volumes.product_id
    left join sold
        on
            pairs.product_id = sold.product_id
            and pairs.metric = sold.series
)

select * from final
