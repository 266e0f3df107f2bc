with streams as (
    select * from {{ ref('ops_sources') }}
),

volumes as (
    select * from {{ ref('ops_volumes') }}
),

runs as (
    select * from {{ ref('ops_runs') }}
),

pulls as (
    select * from {{ source('pipeline', 'pulls') }}
),

source_states as (
    select * from {{ source('pipeline', 'source_states') }}
),

declared as (
    {%- set sources = ops_streams() | map(attribute=0) | unique | list %}
    {%- for source_name in sources %}
    {%- set warn = declared_hours(source_name, 'warn') %}
    {%- set error = declared_hours(source_name, 'error') %}
    select
        '{{ source_name }}' as source,
        cast({{ 'null' if warn is none else warn }} as double) as warn_after_hours,
        cast({{ 'null' if error is none else error }} as double) as error_after_hours,
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

looks as (
    select
        max(greatest(started_at, coalesce(last_loaded_at, started_at))) as checked_at,
        -- Before the pipeline noted what is switched on, nobody can tell.
        (select count(*) from source_states) > 0 as is_known,
    from runs
),

answers as (
    select
        source,
        max(asked_at) as last_asked_at,
        max(asked_at) filter (where is_answered) as last_answered_at,
    from pulls
    group by source
),

failures as (
    select
        pulls.source,
        count(*) as failed_asks_count,
    from pulls
    left join answers on pulls.source = answers.source
    where
        not pulls.is_answered
        and (
            answers.last_answered_at is null
            or pulls.asked_at > answers.last_answered_at
        )
    group by pulls.source
),

-- How many hours lie between days that brought something, of the last 90 such days.
gaps as (
    select
        source,
        stream,
        fetched_date,
        24.0 * (
            fetched_date
            - lag(fetched_date) over (partition by source, stream order by fetched_date)
        ) as gap_hours,
    from volumes
    where row_count > 0
),

latest_gaps as (
    select * from gaps
    where gap_hours is not null
    qualify row_number() over (
        partition by source, stream order by fetched_date desc
    ) <= 90
),

cadences as (
    select
        source,
        stream,
        median(gap_hours) as usual_gap_hours,
        max(gap_hours) as longest_gap_hours,
    from latest_gaps
    group by source, stream
    having count(*) >= 5
),

joined as (
    select
        streams.source_stream_key,
        streams.source,
        streams.stream,
        looks.checked_at,
        looks.is_known,
        coalesce(source_states.is_enabled, not looks.is_known) as is_enabled,
        streams.is_simulated,
        answers.last_asked_at,
        answers.last_answered_at,
        coalesce(failures.failed_asks_count, 0) as failed_asks_count,
        streams.last_fetched_at,
        streams.last_loaded_at,
        declared.warn_after_hours,
        declared.error_after_hours,
        cadences.usual_gap_hours as cadence_hours,
        cadences.longest_gap_hours,
        epoch(looks.checked_at - streams.last_fetched_at) / 3600 as age_hours,
        epoch(
            looks.checked_at
            - greatest(
                coalesce(answers.last_answered_at, streams.last_fetched_at),
                coalesce(streams.last_fetched_at, answers.last_answered_at)
            )
        ) / 3600 as unheard_hours,
    from streams
    cross join looks
    left join source_states on streams.source = source_states.source
    left join answers on streams.source = answers.source
    left join failures on streams.source = failures.source
    left join declared on streams.source = declared.source
    left join cadences
        on streams.source = cadences.source and streams.stream = cadences.stream
),

judged as (
    select
        *,
        case
            when is_simulated and last_asked_at is null then 'fixed'
            when not is_enabled then 'off'
            when warn_after_hours is null then 'fixed'
            when last_fetched_at is null and last_answered_at is null then 'never'
            when unheard_hours > coalesce(error_after_hours, 3 * warn_after_hours)
                then 'stale'
            when unheard_hours > warn_after_hours then 'late'
            when last_fetched_at is null then 'empty'
            -- It answers, and nothing new is in the answers.
            when age_hours > greatest(
                warn_after_hours, 3 * cadence_hours, 1.5 * longest_gap_hours
            ) then 'quiet'
            else 'fresh'
        end as freshness_state,
    from joined
)

select
    source_stream_key,
    source,
    stream,
    freshness_state,
    cast(round(age_hours, 2) as double) as age_hours,
    cast(cadence_hours as double) as cadence_hours,
    warn_after_hours,
    error_after_hours,
    cast(failed_asks_count as bigint) as failed_asks_count,
    case when is_known then is_enabled end as is_enabled,
    freshness_state in ('stale', 'late', 'quiet')
    or failed_asks_count > 0 and freshness_state not in ('off', 'fixed') as is_warning,
    is_simulated,
    checked_at,
    last_asked_at,
    last_answered_at,
    last_fetched_at,
    last_loaded_at,
from judged
