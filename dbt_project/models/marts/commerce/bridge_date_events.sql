with dates as (
    select * from {{ ref('dim_dates') }}
),

events as (
    select * from {{ ref('int_calendar__events') }}
)

select
    dates.date_day || '|' || events.event_id as date_event_key,
    dates.date_day,
    events.event_id,
    events.source_name,
    events.event_kind,
    events.product_id,
    events.event_name,
    events.starts_date,
    events.ends_date,
    events.is_shop_wide,
    events.is_simulated,
from dates
inner join events
    on
        events.is_mapped
        and dates.date_day >= events.starts_date
        and dates.date_day <= coalesce(events.ends_date, dates.date_day)
