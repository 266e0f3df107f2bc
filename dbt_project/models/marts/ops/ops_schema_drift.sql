with counts as (
    select
        source,
        stream,
        fetched_date,
        field_path,
        parent_path,
        json_type,
        sum(record_count) as record_count,
    from {{ source('pipeline', 'payload_fields') }}
    group by all
),

streams as (
    select * from {{ ref('ops_sources') }}
),

present as (
    select
        source,
        stream,
        field_path,
        parent_path,
        fetched_date,
        sum(record_count) filter (where json_type = 'any') as present_count,
    from counts
    group by all
),

containers as (
    select
        source,
        stream,
        field_path as parent_path,
        fetched_date,
        sum(record_count) as parent_count,
    from counts
    where json_type in ('object', 'array')
    group by all
),

newest as (
    select
        source,
        stream,
        max(fetched_date) as recent_date,
    from counts
    group by source, stream
),

fields as (
    select
        source,
        stream,
        field_path,
        parent_path,
        min(fetched_date) as first_seen_date,
        max(fetched_date) filter (where present_count > 0) as last_seen_date,
    from present
    group by source, stream, field_path, parent_path
    -- What few records hold may be a key that somebody made up, or somebody's name.
    having sum(present_count) >= 5 and field_path <> '$'
),

-- Every field on every day of the last two months on which its object was there.
days as (
    select
        fields.source,
        fields.stream,
        fields.field_path,
        fields.first_seen_date,
        fields.last_seen_date,
        newest.recent_date,
        containers.fetched_date,
        containers.parent_count,
        coalesce(present.present_count, 0) as present_count,
        coalesce(present.present_count, 0) / containers.parent_count as share,
        -- Before: what was until the field was last seen, the newest day left out.
        containers.fetched_date < newest.recent_date
        and containers.fetched_date <= fields.last_seen_date as is_earlier,
        -- Lately: the newest day, and all days since the field was last seen.
        containers.fetched_date = newest.recent_date
        or containers.fetched_date > fields.last_seen_date as is_recent,
    from fields
    inner join newest
        on fields.source = newest.source and fields.stream = newest.stream
    inner join containers
        on
            fields.source = containers.source
            and fields.stream = containers.stream
            and fields.parent_path = containers.parent_path
            and containers.fetched_date >= newest.recent_date - interval 60 day
    left join present
        on
            fields.source = present.source
            and fields.stream = present.stream
            and fields.field_path = present.field_path
            and containers.fetched_date = present.fetched_date
),

shares as (
    select
        source,
        stream,
        field_path,
        first_seen_date,
        last_seen_date,
        recent_date,
        count(*) filter (where is_earlier and parent_count >= 5) as earlier_days_count,
        coalesce(sum(parent_count) filter (where is_earlier), 0)
            as earlier_sampled_count,
        sum(present_count) filter (where is_earlier)
        / nullif(sum(parent_count) filter (where is_earlier), 0) as earlier_share,
        coalesce(sum(parent_count) filter (where is_recent), 0) as recent_sampled_count,
        coalesce(sum(present_count) filter (where is_recent), 0)
            as recent_present_count,
        sum(present_count) filter (where is_recent)
        / nullif(sum(parent_count) filter (where is_recent), 0) as recent_share,
        -- The lowest of its days, and one of its low days, which one bad day moves
        -- little.
        min(share) filter (where is_earlier and parent_count >= 5) as lowest_share,
        quantile_cont(share, 0.1) filter (where is_earlier and parent_count >= 5)
            as low_share,
    from days
    group by all
),

typed as (
    select
        counts.source,
        counts.stream,
        counts.field_path,
        counts.json_type,
        counts.fetched_date = newest.recent_date as is_recent,
        sum(counts.record_count) as record_count,
    from counts
    inner join newest
        on counts.source = newest.source and counts.stream = newest.stream
    where
        counts.json_type not in ('any', 'null')
        and counts.fetched_date >= newest.recent_date - interval 60 day
    group by all
),

types as (
    select
        source,
        stream,
        field_path,
        max_by(json_type, (record_count, json_type)) filter (where not is_recent)
            as earlier_type,
        max(record_count) filter (where not is_recent)
        / nullif(sum(record_count) filter (where not is_recent), 0)
            as earlier_type_share,
        max_by(json_type, (record_count, json_type)) filter (where is_recent)
            as recent_type,
        max(record_count) filter (where is_recent)
        / nullif(sum(record_count) filter (where is_recent), 0) as recent_type_share,
        sum(record_count) filter (where is_recent) as recent_typed_count,
    from typed
    group by all
),

judged as (
    select
        shares.*,
        types.earlier_type,
        types.recent_type,
        case
            -- There so often that its absence is no chance: below one in 100 million.
            when
                shares.recent_present_count = 0
                and shares.earlier_days_count >= 3
                and shares.earlier_share >= 0.3
                and shares.lowest_share > 0
                and shares.recent_sampled_count >= 10
                and shares.recent_sampled_count
                * ln(1 - least(shares.earlier_share, 0.99)) < -18.4
                then 'vanished'
            when
                types.recent_type <> types.earlier_type
                and types.recent_typed_count >= 10
                and types.recent_type_share >= 0.95
                and (
                    types.earlier_type_share >= 0.95
                    or types.recent_typed_count >= 20
                    and types.earlier_type_share >= 0.6
                )
                and shares.earlier_days_count >= 3
                then 'type_changed'
            when
                shares.earlier_days_count >= 5
                and shares.recent_sampled_count >= 30
                and shares.earlier_share >= 0.3
                and shares.recent_share < shares.low_share / 2
                then 'rarer'
            when
                shares.first_seen_date = shares.recent_date
                and shares.recent_present_count >= 5
                and newcomers.earlier_count >= 30
                then 'new'
            when shares.earlier_days_count < 3 or shares.recent_sampled_count < 10
                then null
            else 'steady'
        end as drift,
    from shares
    left join types
        on
            shares.source = types.source
            and shares.stream = types.stream
            and shares.field_path = types.field_path
    -- Records of the stream before its newest day: a field of the first day is not new.
    left join (
        select
            containers.source,
            containers.stream,
            sum(containers.parent_count) as earlier_count,
        from containers
        inner join newest
            on
                containers.source = newest.source
                and containers.stream = newest.stream
                and containers.fetched_date < newest.recent_date
        where containers.parent_path = '$'
        group by all
    ) as newcomers
        on shares.source = newcomers.source and shares.stream = newcomers.stream
)

select
    concat_ws('|', judged.source, judged.stream, judged.field_path) as field_key,
    judged.source,
    judged.stream,
    replace(judged.field_path, '$.', '') as field_path,
    judged.drift,
    judged.earlier_type,
    judged.recent_type,
    cast(judged.earlier_share as double) as earlier_share_ratio,
    cast(judged.recent_share as double) as recent_share_ratio,
    cast(judged.earlier_days_count as bigint) as earlier_days_count,
    cast(judged.earlier_sampled_count as bigint) as earlier_sampled_count,
    cast(judged.recent_sampled_count as bigint) as recent_sampled_count,
    -- Two weeks after a field was last seen everybody knows.
    coalesce(
        judged.drift in ('type_changed', 'rarer')
        or judged.drift = 'vanished'
        and judged.recent_date - judged.last_seen_date <= 14,
        false
    ) as is_warning,
    streams.is_simulated,
    judged.first_seen_date,
    judged.last_seen_date,
    judged.recent_date,
from judged
left join streams
    on judged.source = streams.source and judged.stream = streams.stream
