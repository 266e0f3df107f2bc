with rejects as (
    select * from {{ source('pipeline', 'rejects') }}
),

load_log as (
    select * from {{ source('pipeline', 'load_log') }}
),

-- What stands in a reason of one line (a position, a value) would make every line a
-- reason of its own, and a value may be somebody's: digits and what is quoted go, and
-- so does the origin.
reasons as (
    select
        source,
        stream,
        cast(loaded_at at time zone 'UTC' as date) as rejected_date,
        left(
            trim(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            regexp_replace(reason, '\s*\[[^\]]*\]\s*$', ''),
                            '''[^'']*''|"[^"]*"|`[^`]*`', '…', 'g'
                        ),
                        '[0-9]+', '#', 'g'
                    ),
                    '[\x00-\x1f\x7f]+', ' ', 'g'
                )
            ),
            120
        ) as reason,
        source_file,
        line_no,
    from rejects
),

counted as (
    select
        source,
        stream,
        rejected_date,
        reason,
        count(*) as reject_count,
        min((source_file, line_no)) as example,
    from reasons
    group by source, stream, rejected_date, reason
),

-- A stream of many reasons shows its commonest and the rest as one.
ranked as (
    select
        source,
        stream,
        reason,
        row_number() over (
            partition by source, stream order by sum(reject_count) desc, reason asc
        ) as reason_rank,
    from counted
    group by source, stream, reason
),

kept as (
    select
        counted.source,
        counted.stream,
        counted.rejected_date,
        case
            when ranked.reason_rank <= 30 then counted.reason else 'other reasons'
        end as reason,
        sum(counted.reject_count) as reject_count,
        min(counted.example) as example,
    from counted
    inner join ranked
        on
            counted.source = ranked.source
            and counted.stream = ranked.stream
            and counted.reason = ranked.reason
    group by all
),

lines as (
    select
        source,
        stream,
        cast(loaded_at at time zone 'UTC' as date) as rejected_date,
        sum(row_count + reject_count) as line_count,
        coalesce(bool_or(is_simulated), false) as is_simulated,
    from load_log
    group by source, stream, rejected_date
)

select
    concat_ws(
        '|', kept.source, kept.stream, cast(kept.rejected_date as varchar), kept.reason
    ) as reject_key,
    kept.source,
    kept.stream,
    kept.rejected_date,
    kept.reason,
    cast(kept.reject_count as bigint) as reject_count,
    cast(lines.line_count as bigint) as line_count,
    kept.example[1] as example_file,
    cast(kept.example[2] as bigint) as example_line_no,
    coalesce(lines.is_simulated, false) as is_simulated,
from kept
left join lines
    on
        kept.source = lines.source
        and kept.stream = lines.stream
        and kept.rejected_date = lines.rejected_date
qualify
    row_number() over (
        partition by kept.source, kept.stream
        order by
            kept.rejected_date desc, kept.reject_count desc, kept.reason asc
    ) <= 1000
