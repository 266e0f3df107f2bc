with interest as (
    select * from {{ ref('stg_google_trends__interest') }}
),

dated as (
    select
        *,
        -- Answers on one scale are one answer, whenever they were given.
        case
            when is_constant_scale then 'constant|' || draw
            else request_id
        end as answer_id,
        concat_ws('|', term, geo, nullif(category, ''), nullif(property, ''))
            as series_id,
    from interest
    where
        interest_date is not null
        and resolution in ('day', 'week', 'month', 'year')
),

-- A partial point comes again when it is complete: only the newest word on it counts.
current_points as (
    select *
    from dated
    qualify
        row_number() over (
            partition by answer_id, series_id, resolution, interest_date
            order by
                fetched_at desc,
                _load_id desc,
                _line_no desc,
                interest_snapshot_key asc
        ) = 1
),

whole as (
    select
        *,
        case resolution
            when 'day' then interest_date
            when 'week' then interest_date + 6
            when 'month' then cast(interest_date + interval 1 month as date) - 1
            else cast(interest_date + interval 1 year as date) - 1
        end as period_end_date,
    from current_points
    where not is_partial and search_interest is not null
),

final as (
    select
        answer_id,
        series_id,
        term,
        geo,
        category,
        property,
        resolution,
        interest_date as period_start_date,
        period_end_date,
        date_diff('day', interest_date, period_end_date) + 1 as period_days,
        search_interest as value,
        window_start_date,
        is_below_one,
        is_constant_scale,
        is_simulated,
    from whole
    -- A week that ends after the cut-off knows what came after it.
    where not {{ is_cut_off('period_end_date') }}
)

select * from final
