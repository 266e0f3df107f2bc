with posts as (
    select * from {{ ref('fct_posts') }}
),

reviews as (
    select * from {{ ref('fct_reviews') }}
),

order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
),

events as (
    select * from {{ ref('int_calendar__events') }}
),

-- Every record counts as a sign of life, whatever becomes of it later: a day on which
-- only untracked products were sold was observed all the same.
instants as (
    select
        'social' as side,
        'social' as source_name,
        posted_at as observed_at,
    from posts
    union all
    select
        'reviews' as side,
        'reviews' as source_name,
        reviewed_at as observed_at,
    from reviews
    union all
    select
        'sales' as side,
        source_name,
        sold_at as observed_at,
    from order_lines
    union all
    select
        'sales' as side,
        source_name,
        refunded_at as observed_at,
    from refund_lines
),

local_instants as (
    select
        side,
        source_name,
        timezone({{ sql_text(business_timezone()) }}, observed_at) as local_at,
    from instants
    where
        observed_at <= {{ cutoff_at() }}
        and {{ is_within_target(business_date('observed_at')) }}
),

active_days as (
    select
        side,
        source_name,
        cast(local_at as date) as date_day,
        count(*) as record_count,
        min(epoch(local_at) - epoch(date_trunc('day', local_at))) as first_second,
        max(epoch(local_at) - epoch(date_trunc('day', local_at))) as last_second,
    from local_instants
    group by side, source_name, cast(local_at as date)
),

coverage as (
    select
        side,
        source_name,
        min(date_day) as first_date,
        max(date_day) as last_date,
    from active_days
    group by side, source_name
),

days as (
    select
        side,
        source_name,
        first_date,
        last_date,
        cast(
            unnest(generate_series(
                cast(first_date as timestamp),
                cast(last_date as timestamp),
                interval 1 day
            )) as date
        ) as date_day,
    from coverage
),

shop_closed_days as (
    select distinct days.date_day
    from days
    inner join events
        on
            events.event_kind = 'closed'
            and events.is_shop_wide
            and days.date_day >= events.starts_date
            and days.date_day <= coalesce(events.ends_date, days.date_day)
),

-- A weekday without a single record in four weeks or more is a closed weekday, whether
-- or not the settings say so.
weekdays as (
    select
        days.source_name,
        isodow(days.date_day) as iso_weekday,
        count(*) >= 4 and count(active_days.date_day) = 0 as is_never_active,
    from days
    left join active_days
        on
            days.source_name = active_days.source_name
            and days.date_day = active_days.date_day
    group by days.source_name, isodow(days.date_day)
),

opened as (
    select
        days.side,
        days.source_name,
        days.date_day,
        days.first_date,
        days.last_date,
        coalesce(active_days.record_count, 0) as record_count,
        active_days.first_second,
        active_days.last_second,
        days.side != 'sales'
        or not (
            list_contains({{ closed_weekdays() }}, isodow(days.date_day))
            or shop_closed_days.date_day is not null
            or weekdays.is_never_active
        ) as is_open,
    from days
    left join active_days
        on
            days.source_name = active_days.source_name
            and days.date_day = active_days.date_day
    left join shop_closed_days on days.date_day = shop_closed_days.date_day
    left join weekdays
        on
            days.source_name = weekdays.source_name
            and isodow(days.date_day) = weekdays.iso_weekday
),

-- What a weak open day brings: the records of its 10th percentile, times the share of
-- open days that bring any.
pace as (
    select
        source_name,
        quantile_cont(record_count, 0.1) filter (where record_count > 0)
        * count(*) filter (where record_count > 0)
        / count(*) as records_expected,
    from opened
    where is_open
    group by source_name
),

runs as (
    select
        source_name,
        date_day,
        row_number() over (partition by source_name order by date_day)
        - row_number() over (
            partition by source_name, record_count > 0 order by date_day
        ) as run_number,
        record_count > 0 as is_active,
    from opened
    where is_open
),

run_lengths as (
    select
        source_name,
        date_day,
        is_active,
        count(*) over (partition by source_name, is_active, run_number) as run_days,
    from runs
),

clocks as (
    select
        source_name,
        count(*) as other_days,
        max(first_second) as latest_first_second,
        min(last_second) as earliest_last_second,
    from opened
    where record_count > 0 and date_day > first_date and date_day < last_date
    group by source_name
),

judged as (
    select
        opened.side,
        opened.source_name,
        opened.date_day,
        opened.record_count,
        opened.is_open,
        -- Silence that had less than about 1 chance in 1,000 (e^-7) is a gap in what
        -- was received, not a day on which nothing happened.
        coalesce(
            not run_lengths.is_active
            and run_lengths.run_days * pace.records_expected >= 7,
            false
        ) as is_gap,
        -- The cut-off falls inside the day, or the source began later (ended earlier)
        -- that day than on any other of at least two weeks.
        {{ is_cut_off('opened.date_day') }}
        or (
            opened.date_day = opened.first_date
            and coalesce(
                clocks.other_days >= 14
                and opened.first_second > clocks.latest_first_second,
                false
            )
        )
        or (
            opened.date_day = opened.last_date
            and coalesce(
                clocks.other_days >= 14
                and opened.last_second < clocks.earliest_last_second,
                false
            )
        ) as is_partial,
    from opened
    left join pace on opened.source_name = pace.source_name
    left join run_lengths
        on
            opened.source_name = run_lengths.source_name
            and opened.date_day = run_lengths.date_day
    left join clocks on opened.source_name = clocks.source_name
),

final as (
    select
        source_name || '|' || date_day as source_day_key,
        side,
        source_name,
        date_day,
        record_count,
        is_open,
        is_gap,
        is_partial,
        is_open and not is_gap and not is_partial as is_observed,
    from judged
)

select * from final
