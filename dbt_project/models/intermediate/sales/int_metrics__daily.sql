with search as (
    select * from {{ ref('int_search__daily') }}
),

data_set_metrics as (
    select * from {{ ref('stg_datasets__metrics') }}
),

terms as (
    select * from {{ ref('terms') }}
),

snapshot_metrics as (
    select * from {{ ref('int_metrics__from_snapshots') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

-- A partial day comes again when it is complete: only the newest word on a day counts.
current_interest as (
    select *
    from interest
    where interest_date is not null
    qualify
        row_number() over (
            partition by term, geo, interest_date, window_start_date, draw
            order by
                fetched_at desc,
                _load_id desc,
                _line_no desc,
                interest_snapshot_key asc
        ) = 1
),

-- The same request answers a little differently each time: draws are averaged.
window_points as (
    select
        term,
        geo,
        coalesce(window_start_date, date '1970-01-01') as window_start_date,
        interest_date,
        avg(search_interest) as search_interest,
        bool_or(is_simulated) as is_simulated,
    from current_interest
    where
        not is_partial
        and resolution = 'day'
        and search_interest is not null
    group by
        term, geo, coalesce(window_start_date, date '1970-01-01'), interest_date
),

windows as (
    select
        term,
        geo,
        window_start_date,
        lag(window_start_date) over (
            partition by term, geo order by window_start_date
        ) as previous_start_date,
    from window_points
    group by term, geo, window_start_date
),

-- Each window is scaled to its own maximum of 100: a later one is brought to the scale
-- of the one before by the days that both hold.
window_overlaps as (
    select
        windows.term,
        windows.geo,
        windows.window_start_date,
        sum(previous_points.search_interest) / nullif(sum(points.search_interest), 0)
            as step_ratio,
    from windows
    left join window_points as points
        on
            windows.term = points.term
            and windows.geo = points.geo
            and windows.window_start_date = points.window_start_date
    inner join window_points as previous_points
        on
            windows.term = previous_points.term
            and windows.geo = previous_points.geo
            and windows.previous_start_date = previous_points.window_start_date
            and points.interest_date = previous_points.interest_date
    group by windows.term, windows.geo, windows.window_start_date
),

scales as (
    select
        windows.term,
        windows.geo,
        windows.window_start_date,
        exp(sum(coalesce(ln(nullif(window_overlaps.step_ratio, 0)), 0)) over (
            partition by windows.term, windows.geo order by windows.window_start_date
        )) as window_scale,
    from windows
    left join window_overlaps
        on
            windows.term = window_overlaps.term
            and windows.geo = window_overlaps.geo
            and windows.window_start_date = window_overlaps.window_start_date
),

stitched as (
    select
        points.term,
        points.geo,
        points.interest_date,
        avg(points.search_interest * scales.window_scale) as search_interest,
        bool_or(points.is_simulated) as is_simulated,
    from window_points as points
    inner join scales
        on
            points.term = scales.term
            and points.geo = scales.geo
            and points.window_start_date = scales.window_start_date
    group by points.term, points.geo, points.interest_date
),

term_products as (
    select distinct
        lower(trim(term)) as term,
        product_id,
    from terms
    where lower(trim(kind)) in ('keyword', 'hashtag', 'cashtag', 'handle')
),

product_interest as (
    select
        product_id,
        date_day,
        'search_interest' as metric,
        search_interest as metric_value,
        search_interest_se as metric_value_se,
        'index 0-100' as unit,
        'google_trends' as source_name,
        series_id as series_name,
        1 as priority,
        is_simulated,
    from search
),

current_metrics as (
    select *
    from data_set_metrics
    where metric_date is not null and metric is not null
    qualify
        row_number() over (
            partition by dataset, product_key, metric, metric_date
            order by _load_id desc, _line_no desc, metric_snapshot_key asc
        ) = 1
),

product_metrics as (
    select
        sales_keys.product_id,
        current_metrics.metric_date as date_day,
        current_metrics.metric,
        current_metrics.metric_value,
        current_metrics.unit,
        'datasets/' || current_metrics.dataset as source_name,
        current_metrics.product_key as series_name,
        2 as priority,
        current_metrics.is_simulated,
    from current_metrics
    inner join sales_keys on lower(current_metrics.product_key) = sales_keys.sales_key
    where
        current_metrics.metric_value is not null
        and isfinite(current_metrics.metric_value)
),

unioned as (
    select * from product_interest
    union all by name
    select * from product_metrics
    union all by name
    select * from snapshot_metrics
),

complete as (
    select *
    from unioned
    where {{ is_within_target('date_day') }} and not {{ is_cut_off('date_day') }}
),

-- One series per product and metric: two terms or keys would be two different scales.
ranked as (
    select
        product_id,
        metric,
        source_name,
        series_name,
        row_number() over (
            partition by product_id, metric
            order by min(priority) asc, count(*) desc, source_name asc, series_name asc
        ) as series_rank,
    from complete
    group by product_id, metric, source_name, series_name
),

final as (
    select
        complete.product_id || '|' || complete.date_day || '|' || complete.metric
            as metric_day_key,
        complete.product_id,
        complete.date_day,
        complete.metric,
        complete.metric_value,
        complete.metric_value_se,
        complete.unit,
        complete.source_name,
        complete.is_simulated,
    from complete
    inner join ranked
        on
            complete.product_id = ranked.product_id
            and complete.metric = ranked.metric
            and complete.source_name = ranked.source_name
            and complete.series_name = ranked.series_name
    where ranked.series_rank = 1
)

select * from final
