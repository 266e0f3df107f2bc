{%- set core = [
    'units', 'net_sales', 'orders_count', 'reviews_count', 'rating_mean'
] -%}
-- The long table says what the wide one says, no day more and none less; what a data
-- set states under the same name where there are no lines is in the long one alone.
with wide as (
    {%- for metric in core %}
    select
        product_id,
        date_day,
        '{{ metric }}' as metric,
        cast({{ metric }} as double) as metric_value,
    from {{ ref('fct_daily_signals') }}
    where {{ metric }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

tall as (
    select
        product_id,
        date_day,
        metric,
        value as metric_value,
    from {{ ref('fct_daily_metrics') }}
    where
        source in ('sales', 'reviews')
        and metric in (
            {%- for metric in core %}
            '{{ metric }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )
)

select
    coalesce(wide.product_id, tall.product_id) as product_id,
    coalesce(wide.date_day, tall.date_day) as date_day,
    coalesce(wide.metric, tall.metric) as metric,
    wide.metric_value as wide_value,
    tall.metric_value as tall_value,
from wide
full join tall
    on
        wide.product_id = tall.product_id
        and wide.date_day = tall.date_day
        and wide.metric = tall.metric
where wide.metric_value is distinct from tall.metric_value
