with calendar as (
    select * from {{ ref('int_calendar__days') }}
),

source_days as (
    select * from {{ ref('int_calendar__source_days') }}
),

events as (
    select * from {{ ref('int_calendar__events') }}
),

dates as (
    select distinct date_day from calendar
),

closed_by_records as (
    select
        date_day,
        bool_or(is_open) as is_open,
    from source_days
    where side = 'sales'
    group by date_day
),

shop_events as (
    select
        dates.date_day,
        bool_or(events.event_kind = 'holiday') as is_holiday,
        bool_or(events.event_kind = 'promotion') as is_promo,
        bool_or(events.event_kind = 'closed') as is_closed,
    from dates
    inner join events
        on
            events.is_shop_wide
            and dates.date_day >= events.starts_date
            and dates.date_day <= coalesce(events.ends_date, dates.date_day)
    group by dates.date_day
)

select
    dates.date_day,
    cast(isodow(dates.date_day) as integer) as iso_weekday,
    dayname(dates.date_day) as weekday_name,
    cast(date_trunc('week', dates.date_day) as date) as week_start_date,
    cast(date_trunc('month', dates.date_day) as date) as month_start_date,
    cast(year(dates.date_day) as integer) as calendar_year,
    cast(quarter(dates.date_day) as integer) as calendar_quarter,
    isodow(dates.date_day) >= 6 as is_weekend,
    coalesce(
        closed_by_records.is_open,
        not list_contains({{ closed_weekdays() }}, isodow(dates.date_day))
    )
    and not coalesce(shop_events.is_closed, false) as is_open,
    coalesce(shop_events.is_holiday, false) as is_holiday,
    coalesce(shop_events.is_promo, false) as is_shop_promo,
from dates
left join closed_by_records on dates.date_day = closed_by_records.date_day
left join shop_events on dates.date_day = shop_events.date_day
