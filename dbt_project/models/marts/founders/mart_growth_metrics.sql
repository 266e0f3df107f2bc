{#- The long shape of mart_growth, with the metrics of data sets. -#}

with

changes as (
    select * from {{ ref('int_growth__changes') }}
),

month_changes as (
    select *
    from changes
    where comparison = 'month'
),

year_changes as (
    select *
    from changes
    where comparison = 'year'
),

final as (
    select
        month_changes.product_id
        || '|'
        || month_changes.metric
        || '|'
        || month_changes.month_start_date as growth_key,
        month_changes.product_id,
        month_changes.metric,
        month_changes.month_start_date,
        month_changes.metric_family,
        month_changes.value_kind,
        cast(month_changes.month_value as double) as month_value,
        cast(month_changes.day_level as double) as day_level,
        cast(month_changes.observed_days_count as bigint) as observed_days_count,
        cast(month_changes.expected_days_count as bigint) as expected_days_count,
        month_changes.is_partial_month,
        cast(month_changes.records_count as bigint) as records_count,
        {%- for name, base in [('', 'month_changes'), ('year_', 'year_changes')] %}
        cast({{ base }}.change as double) as {{ name }}change,
        cast({{ base }}.change_low as double) as {{ name }}change_low,
        cast({{ base }}.change_high as double) as {{ name }}change_high,
        {{ base }}.p_value as {{ name }}p_value,
        {{ base }}.q_value as {{ name }}q_value,
        {{ base }}.is_change_clear as is_{{ name }}change_clear,
        {{ base }}.change_reason as {{ name }}change_reason,
        {%- endfor %}
        month_changes.is_simulated,
    from month_changes
    inner join year_changes
        on
            month_changes.product_id = year_changes.product_id
            and month_changes.metric = year_changes.metric
            and month_changes.month_start_date = year_changes.month_start_date
)

select
    growth_key,
    product_id,
    metric,
    month_start_date,
    metric_family,
    value_kind,
    month_value,
    day_level,
    observed_days_count,
    expected_days_count,
    is_partial_month,
    records_count,
    {%- for name in ['', 'year_'] %}
    {{ name }}change,
    {{ name }}change_low,
    {{ name }}change_high,
    {{ name }}p_value,
    {{ name }}q_value,
    is_{{ name }}change_clear,
    {{ name }}change_reason,
    {%- endfor %}
    is_simulated,
from final
