{#-
Every month of a series with its change since the month before and since the year before,
or the reason why there is none. Corrected over the products of a metric and month.
-#}

with

months as (
    select * from {{ ref('int_growth__months') }}
),

day_changes as (
    select * from {{ ref('int_growth__day_changes') }}
),

comparisons as (
    select
        comparison,
        months_back,
    from (values ('month', 1), ('year', 12)) as listed (comparison, months_back)
),

first_months as (
    select
        product_id,
        metric,
        min(month_start_date) as first_month_date,
    from months
    group by product_id, metric
),

pairs as (
    select
        months.*,
        comparisons.comparison,
        first_months.first_month_date,
        cast(
            months.month_start_date - to_months(comparisons.months_back) as date
        ) as base_month_date,
        base.month_value as base_value,
        base.observed_days_count as base_days_count,
        base.records_count as base_records_count,
        base.effective_records as base_effective_records,
        base.record_variance as base_variance,
    from months
    cross join comparisons
    inner join first_months
        on
            months.product_id = first_months.product_id
            and months.metric = first_months.metric
    left join months as base
        on
            months.product_id = base.product_id
            and months.metric = base.metric
            and base.month_start_date
            = cast(
                months.month_start_date - to_months(comparisons.months_back) as date
            )
),

with_shares as (
    select
        *,
        case when value_kind = 'share' then month_value end as share_ratio,
        case when value_kind = 'share' then base_value end as base_share_ratio,
        case
            when value_kind = 'rating'
                then
                    sqrt(
                        record_variance / records_count
                        + base_variance / base_records_count
                    )
        end as standard_error,
        {#- Welch (1947), with the degrees of freedom of Satterthwaite (1946). #}
        case
            when value_kind = 'rating' and records_count > 1 and base_records_count > 1
                then
                    (
                        record_variance / records_count
                        + base_variance / base_records_count
                    ) ** 2
                    / (
                        (record_variance / records_count) ** 2 / (records_count - 1)
                        + (base_variance / base_records_count) ** 2
                        / (base_records_count - 1)
                    )
        end as freedom,
    from pairs
),

with_ends as (
    select
        *,
        {{ wilson('share_ratio', 'effective_records', -1) }} as share_low,
        {{ wilson('share_ratio', 'effective_records', 1) }} as share_high,
        {{ wilson('base_share_ratio', 'base_effective_records', -1) }}
            as base_share_low,
        {{ wilson('base_share_ratio', 'base_effective_records', 1) }}
            as base_share_high,
        student_t_quantile(0.975, freedom) * standard_error as half_width,
    from with_shares
),

compared as (
    select
        with_ends.*,
        case
            when with_ends.value_kind in ('total', 'mean')
                then day_changes.change_ratio
            else with_ends.month_value - with_ends.base_value
        end as change,
        case with_ends.value_kind
            when 'rating'
                then with_ends.month_value - with_ends.base_value - with_ends.half_width
            when 'share' then {{ difference_end(
                'share_ratio', 'share_low', 'share_high',
                'base_share_ratio', 'base_share_low', 'base_share_high', -1
            ) }}
            else day_changes.change_low
        end as low,
        case with_ends.value_kind
            when 'rating'
                then with_ends.month_value - with_ends.base_value + with_ends.half_width
            when 'share' then {{ difference_end(
                'share_ratio', 'share_low', 'share_high',
                'base_share_ratio', 'base_share_low', 'base_share_high', 1
            ) }}
            else day_changes.change_high
        end as high,
        day_changes.p_value as day_p_value,
    from with_ends
    left join day_changes
        on
            with_ends.product_id = day_changes.product_id
            and with_ends.metric = day_changes.metric
            and with_ends.month_start_date = day_changes.month_start_date
            and with_ends.comparison = day_changes.comparison
),

reasoned as (
    select
        *,
        case
            when observed_days_count = 0 then 'not_observed'
            when base_month_date < first_month_date
                then case comparison when 'month' then 'first_month' else 'no_year' end
            when coalesce(base_days_count, 0) = 0 then 'gap'
            when month_value is null or base_value is null then 'no_records'
            when value_kind in ('total', 'mean') and base_value = 0 then 'zero_base'
            when
                value_kind in ('total', 'mean')
                and (base_value < 0 or month_value < 0 or change is null)
                then 'below_zero'
            when
                observed_days_count < {{ growth_days_min() }}
                or base_days_count < {{ growth_days_min() }}
                then 'too_few_days'
            when
                value_kind = 'rating'
                and (records_count is null or base_records_count is null)
                then 'daily_means_only'
            when
                value_kind in ('rating', 'share')
                and (
                    effective_records < {{ growth_records_min() }}
                    or base_effective_records < {{ growth_records_min() }}
                )
                then 'too_few_records'
            when low is null then 'too_few_days'
        end as change_reason,
    from compared
),

told as (
    select
        * exclude (low, high),
        case when change_reason is null then low end as change_low,
        case when change_reason is null then high end as change_high,
        case
            when change_reason is not null then null
            when value_kind in ('total', 'mean') then day_p_value
            when value_kind = 'rating'
                then student_t_two_sided_p(change / standard_error, freedom)
            else {{ p_of_difference('change', 'low', 'high') }}
        end as p_value,
    from reasoned
),

final as (
    {{ with_q_values('told', 'metric, month_start_date, comparison', 'product_id') }}
)

select
    product_id,
    metric,
    month_start_date,
    comparison,
    value_kind,
    metric_family,
    month_value,
    day_level,
    observed_days_count,
    expected_days_count,
    observed_days_count < expected_days_count as is_partial_month,
    records_count,
    effective_records,
    base_value,
    base_days_count,
    case
        when
            change_reason in ('zero_base', 'below_zero', 'not_observed')
            then null
        else change
    end as change,
    change_low,
    change_high,
    p_value,
    q_value,
    coalesce(q_value <= 0.05, false) as is_change_clear,
    change_reason,
    is_simulated,
from final
