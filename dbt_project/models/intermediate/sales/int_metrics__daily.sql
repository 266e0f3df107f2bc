with search as (
    select * from {{ ref('int_search__daily') }}
),

data_set_metrics as (
    select * from {{ ref('stg_datasets__metrics') }}
),

snapshot_metrics as (
    select * from {{ ref('int_metrics__from_snapshots') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
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
