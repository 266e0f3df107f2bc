{{
    config(
        unique_key='interest_snapshot_key',
        pre_hook="{{ drop_forgotten('google_trends', 'interest') }}"
    )
}}

with received as (
    {{ remembered_records('google_trends', 'interest') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar)))
            as interest_snapshot_key,
        record_id,
        from_json(
            payload,
            '{
                "term": "VARCHAR",
                "geo": "VARCHAR",
                "date": "VARCHAR",
                "value": "VARCHAR",
                "is_partial": "BOOLEAN",
                "resolution": "VARCHAR",
                "window_start": "VARCHAR",
                "window_end": "VARCHAR",
                "draw": "VARCHAR",
                "request": "VARCHAR",
                "scale": "VARCHAR",
                "category": "VARCHAR",
                "property": "VARCHAR",
                "time": "VARCHAR",
                "region_name": "VARCHAR",
                "column": "VARCHAR",
                "file": "VARCHAR"
            }'
        ) as point,
        fetched_at,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from received
),

final as (
    select
        interest_snapshot_key,
        record_id,
        lower(trim(point.term)) as term,
        coalesce(point.geo, '') as geo,
        coalesce({{ filled('point.category') }}, '') as category,
        coalesce({{ filled('point.property') }}, '') as property,
        coalesce(point.draw, '0') as draw,
        -- Records that do not say of which answer they are: a window of a term is one.
        coalesce(
            {{ filled('point.request') }},
            concat_ws(
                '|',
                lower(trim(point.term)),
                coalesce(point.geo, ''),
                coalesce(point.window_start, ''),
                coalesce(point.draw, '0')
            )
        ) as request_id,
        coalesce(lower(point.resolution), 'day') as resolution,
        -- "<1" is a value between 0 and 1, not a missing one.
        case
            when trim(point.value) = '<1' then 0.5
            else {{ number_of('trim(point.value)') }}
        end as search_interest,
        coalesce(trim(point.value) = '<1', false) as is_below_one,
        coalesce(point.is_partial, false) as is_partial,
        coalesce(lower(point.scale) = 'constant', false) as is_constant_scale,
        is_simulated,
        try_cast(point.date as date) as interest_date,
        try_cast(point.time as time) as interest_time,
        try_cast(point.window_start as date) as window_start_date,
        try_cast(point.window_end as date) as window_end_date,
        point.region_name,
        point.column as column_name,
        point.file as file_name,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by interest_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
