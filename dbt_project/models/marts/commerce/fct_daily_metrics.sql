{%- set core = [
    ('units', 'units'), ('net_sales', 'currency'), ('orders_count', 'orders'),
    ('reviews_count', 'reviews'), ('rating_mean', 'stars')
] -%}
{%- set components = [
    ('gross_units', 'units'), ('returned_units', 'units'), ('gross_sales', 'currency'),
    ('discounts', 'currency'), ('returns', 'currency')
] -%}
with daily as (
    select * from {{ ref('int_daily__signals') }}
),

sales as (
    select * from {{ ref('int_sales__daily') }}
),

other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

exchange_rates as (
    select * from {{ ref('int_orders__exchange_rates') }}
),

reporting as (
    select coalesce(max(currency), 'unknown') as currency
    from exchange_rates
    where is_reporting_currency
),

measured as (
    {%- for metric, unit in core %}
    select
        product_id,
        date_day,
        '{{ metric }}' as metric,
        cast({{ metric }} as double) as metric_value,
        '{{ unit }}' as unit,
        '{{ "reviews" if metric in ("reviews_count", "rating_mean") else "sales" }}'
            as source_name,
        is_simulated,
    from daily
    where {{ metric }} is not null
    union all
    {%- endfor %}
    {%- for component, unit in components %}
    select
        daily.product_id,
        daily.date_day,
        '{{ component }}' as metric,
        cast(sales.{{ component }} as double) as metric_value,
        '{{ unit }}' as unit,
        'sales' as source_name,
        daily.is_simulated,
    from daily
    inner join sales
        on
            daily.product_id = sales.product_id
            and daily.date_day = sales.date_day
    where daily.is_observed_sales
    union all
    {%- endfor %}
    select
        product_id,
        date_day,
        metric,
        metric_value,
        unit,
        source_name,
        is_simulated,
    from other_metrics
),

-- A metric that a data set states where shop lines exist too: the lines go first.
ranked as (
    select
        product_id,
        date_day,
        metric,
        metric_value,
        unit,
        source_name,
        is_simulated,
        row_number() over (
            partition by product_id, date_day, metric
            order by source_name in ('sales', 'reviews') desc, source_name asc
        ) as source_rank,
    from measured
),

final as (
    select
        ranked.product_id || '|' || ranked.date_day || '|' || ranked.metric
            as metric_day_key,
        ranked.product_id,
        ranked.date_day,
        ranked.metric,
        cast(ranked.metric_value as double) as metric_value,
        case
            when ranked.unit = 'currency' then reporting.currency else ranked.unit
        end as unit,
        ranked.source_name,
        ranked.is_simulated,
    from ranked
    cross join reporting
    where ranked.source_rank = 1
)

select
    metric_day_key,
    product_id,
    date_day,
    metric,
    metric_value as value,
    unit,
    source_name as source,
    is_simulated,
from final
