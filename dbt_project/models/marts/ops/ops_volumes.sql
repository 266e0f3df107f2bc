with streams as (
    {%- for source_name, stream in ops_streams() %}
    select
        '{{ source_name }}' as source,
        '{{ stream }}' as stream,
        cast(fetched_at at time zone 'UTC' as date) as fetched_date,
        cast(fetched_at at time zone 'UTC' as time) as fetched_time,
        is_simulated,
    from {{ source(source_name, stream) }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

runs as (
    select * from {{ ref('ops_runs') }}
),

pulls as (
    select * from {{ source('pipeline', 'pulls') }}
),

-- The instant at which one looks: that of the newest run, its loads included.
looks as (
    select
        max(greatest(started_at, coalesce(last_loaded_at, started_at))) as checked_at,
        cast(checked_at at time zone 'UTC' as time) as checked_time,
        cast(checked_at at time zone 'UTC' as date) as checked_date,
    from runs
),

fetched as (
    select
        streams.source,
        streams.stream,
        streams.fetched_date,
        count(*) as row_count,
        -- What had come by this time of the day: today is not held against whole days.
        count(*) filter (where streams.fetched_time <= looks.checked_time)
            as row_count_by_now,
        bool_or(streams.is_simulated) as is_simulated,
    from streams
    cross join looks
    group by streams.source, streams.stream, streams.fetched_date
),

firsts as (
    select
        source,
        stream,
        min(fetched_date) as first_date,
        max(fetched_date) as last_date,
        bool_or(is_simulated) as is_simulated,
    from fetched
    group by source, stream
),

-- A day on which a source was asked and a stream brought nothing has 0 rows. A day
-- without any pull has no row here: the age of the stream tells of it.
asked as (
    select distinct
        firsts.source,
        firsts.stream,
        cast(pulls.asked_at at time zone 'UTC' as date) as fetched_date,
        firsts.is_simulated,
    from firsts
    inner join pulls
        on
            firsts.source = pulls.source
            and cast(pulls.asked_at at time zone 'UTC' as date) > firsts.first_date
    where pulls.is_answered and not pulls.is_backfill
),

days as (
    select
        coalesce(fetched.source, asked.source) as source,
        coalesce(fetched.stream, asked.stream) as stream,
        coalesce(fetched.fetched_date, asked.fetched_date) as fetched_date,
        coalesce(fetched.row_count, 0) as row_count,
        coalesce(fetched.row_count_by_now, 0) as row_count_by_now,
        coalesce(fetched.is_simulated, asked.is_simulated) as is_simulated,
    from fetched
    full join asked
        on
            fetched.source = asked.source
            and fetched.stream = asked.stream
            and fetched.fetched_date = asked.fetched_date
),

dated as (
    select
        days.*,
        days.fetched_date < looks.checked_date as is_complete,
        days.fetched_date = firsts.first_date as is_first,
    from days
    inner join firsts
        on days.source = firsts.source and days.stream = firsts.stream
    cross join looks
    where days.fetched_date > firsts.last_date - interval 400 day
),

-- Every day beside the days of the eight weeks before it. The first day of a stream,
-- when all of the past came at once, is no example of a day.
earlier as (
    select
        dated.source,
        dated.stream,
        dated.fetched_date,
        isodow(before.fetched_date) = isodow(dated.fetched_date) as is_same_weekday,
        ln(
            1 + if(dated.is_complete, before.row_count, before.row_count_by_now)
        ) as rows_log,
    from dated
    inner join dated as before
        on
            dated.source = before.source
            and dated.stream = before.stream
            and dated.fetched_date > before.fetched_date
            and dated.fetched_date <= before.fetched_date + interval 56 day
    where not before.is_first
),

-- By the same weekday from four of them on. Before that by all days of two weeks or
-- more, and nothing is low that is not far below the same weekday's lowest, too: a shop
-- may rest.
usual as (
    select
        source,
        stream,
        fetched_date,
        count(*) as earlier_days_count,
        count(*) filter (where is_same_weekday) as same_weekday_count,
        case
            when count(*) filter (where is_same_weekday) >= 4
                then median(rows_log) filter (where is_same_weekday)
            when count(*) >= 14 and count(*) filter (where is_same_weekday) >= 2
                then median(rows_log)
        end as median_log,
        case
            when count(*) filter (where is_same_weekday) >= 4
                then mad(rows_log) filter (where is_same_weekday)
            when count(*) >= 14 and count(*) filter (where is_same_weekday) >= 2
                then mad(rows_log)
        end as deviation_log,
        (exp(min(rows_log) filter (where is_same_weekday)) - 1) / 2 as half_lowest,
        (exp(max(rows_log) filter (where is_same_weekday)) - 1) * 2 as double_highest,
    from earlier
    group by source, stream, fetched_date
),

bands as (
    select
        source,
        stream,
        fetched_date,
        earlier_days_count,
        exp(median_log) - 1 as usual_rows,
        case
            when same_weekday_count >= 4
                then {{ usual_band('median_log', 'deviation_log', -1) }}
            else least(
                {{ usual_band('median_log', 'deviation_log', -1) }}, half_lowest
            )
        end as low_rows,
        case
            when same_weekday_count >= 4
                then {{ usual_band('median_log', 'deviation_log', 1) }}
            else greatest(
                {{ usual_band('median_log', 'deviation_log', 1) }}, double_highest
            )
        end as high_rows,
    from usual
    where median_log is not null
)

select
    concat_ws('|', dated.source, dated.stream, cast(dated.fetched_date as varchar))
        as volume_key,
    dated.source,
    dated.stream,
    dated.fetched_date,
    cast(dated.row_count as bigint) as row_count,
    cast(bands.usual_rows as double) as usual_rows,
    cast(bands.low_rows as double) as low_rows,
    cast(bands.high_rows as double) as high_rows,
    cast(coalesce(bands.earlier_days_count, 0) as bigint) as earlier_days_count,
    case
        when bands.usual_rows is null then null
        when dated.row_count < bands.low_rows then 'low'
        when dated.row_count > bands.high_rows then 'high'
        else 'usual'
    end as volume_state,
    dated.is_complete,
    coalesce(dated.row_count < bands.low_rows, false) as is_warning,
    dated.is_simulated,
from dated
left join bands
    on
        dated.source = bands.source
        and dated.stream = bands.stream
        and dated.fetched_date = bands.fetched_date
