{#- mart_growth_metrics with a row per product and month: nothing is computed twice. -#}
{%- set shown = [
    ('units', 'units', 'units'),
    ('net_sales', 'net_sales', 'net_sales'),
    ('orders', 'orders_count', 'orders_count'),
    ('reviews', 'reviews_count', 'reviews_count'),
    ('rating', 'rating_mean', 'rating_mean'),
    ('search_interest', 'search_interest', 'search_interest'),
    ('posts', 'posts_count', 'posts_count'),
    ('authors', 'authors_per_day', 'authors_per_day'),
    ('positive', 'positive_ratio', 'positive_ratio'),
] -%}
{%- set families = ['sales', 'reviews', 'search', 'social'] -%}

with

calendar as (
    select * from {{ ref('int_calendar__days') }}
),

changes as (
    select * from {{ ref('mart_growth_metrics') }}
),

product_months as (
    select distinct
        product_id,
        cast(date_trunc('month', date_day) as date) as month_start_date,
    from calendar
),

pivoted as (
    select
        product_id,
        month_start_date,
        {%- for family in families %}
        {%- for side in ['observed', 'expected'] %}
        max({{ side }}_days_count) filter (
            where metric_family = '{{ family }}'
        ) as {{ family }}_{{ side }}_days_count,
        {%- endfor %}
        {%- endfor %}
        bool_or(is_partial_month) filter (where metric_family != 'data_set')
            as is_partial_month,
        {%- for name, metric, value in shown %}
        max(month_value) filter (where metric = '{{ metric }}') as {{ value }},
        {%- for column in [
            'change', 'change_low', 'change_high', 'change_reason', 'year_change',
            'year_change_low', 'year_change_high'
        ] %}
        max({{ column }}) filter (where metric = '{{ metric }}')
            as {{ name }}_{{ column }},
        {%- endfor %}
        bool_or(is_change_clear) filter (where metric = '{{ metric }}')
            as is_{{ name }}_change_clear,
        bool_or(is_year_change_clear) filter (where metric = '{{ metric }}')
            as is_{{ name }}_year_change_clear,
        {%- endfor %}
        bool_or(is_simulated) as is_simulated,
    from changes
    group by product_id, month_start_date
)

select
    product_months.product_id || '|' || product_months.month_start_date
        as product_month_key,
    product_months.product_id,
    product_months.month_start_date,
    {%- for family in families %}
    pivoted.{{ family }}_observed_days_count,
    pivoted.{{ family }}_expected_days_count,
    {%- endfor %}
    coalesce(pivoted.is_partial_month, false) as is_partial_month,
    {%- for name, _, value in shown %}
    {%- if value == 'net_sales' %}
    cast(pivoted.net_sales as decimal(18, 2)) as net_sales,
    {%- else %}
    pivoted.{{ value }},
    {%- endif %}
    pivoted.{{ name }}_change,
    pivoted.{{ name }}_change_low,
    pivoted.{{ name }}_change_high,
    pivoted.is_{{ name }}_change_clear,
    pivoted.{{ name }}_change_reason,
    pivoted.{{ name }}_year_change,
    pivoted.{{ name }}_year_change_low,
    pivoted.{{ name }}_year_change_high,
    pivoted.is_{{ name }}_year_change_clear,
    {%- endfor %}
    {{ 'true' if setting_boolean('is_simulated') else 'false' }}
    or coalesce(pivoted.is_simulated, false) as is_simulated,
from product_months
left join pivoted
    on
        product_months.product_id = pivoted.product_id
        and product_months.month_start_date = pivoted.month_start_date
