-- Every product has every day from the first to the last.
with bounds as (
    select
        min(date_day) as first_date,
        max(date_day) as last_date,
    from {{ ref('dim_dates') }}
)

select
    signals.product_id,
    count(*) as day_count,
from {{ ref('fct_daily_signals') }} as signals
cross join bounds
group by signals.product_id, bounds.first_date, bounds.last_date
having count(*) != date_diff('day', bounds.first_date, bounds.last_date) + 1
