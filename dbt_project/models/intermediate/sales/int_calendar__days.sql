with products as (
    select * from {{ ref('dim_products') }}
),

source_days as (
    select * from {{ ref('int_calendar__source_days') }}
),

order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
),

reviews as (
    select * from {{ ref('fct_reviews') }}
),

other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

events as (
    select * from {{ ref('int_calendar__events') }}
),

bounds as (
    select
        min(date_day) as first_date,
        max(date_day) as last_date,
    from (
        select date_day from source_days
        union all
        select date_day from other_metrics
    ) as seen
),

dates as (
    select
        cast(
            unnest(generate_series(
                cast(first_date as timestamp),
                cast(last_date as timestamp),
                interval 1 day
            )) as date
        ) as date_day,
    from bounds
    where first_date is not null
),

product_days as (
    select
        products.product_id,
        dates.date_day,
    from products
    cross join dates
),

-- A product is observed in the sources that have ever sold (or reviewed) it: without
-- any record of it, 0 would be a guess.
product_sources as (
    select distinct
        product_id,
        source_name,
    from (
        select
            product_id,
            source_name,
        from order_lines
        union all
        select
            product_id,
            source_name,
        from refund_lines
        union all
        select
            product_id,
            'reviews' as source_name,
        from reviews
        union all
        select
            product_id,
            'social' as source_name,
        from products
    ) as named
    where product_id is not null
),

observed as (
    select
        product_sources.product_id,
        source_days.date_day,
        bool_or(source_days.is_observed) filter (where source_days.side = 'social')
            as is_observed_social,
        bool_or(source_days.is_observed) filter (where source_days.side = 'sales')
            as is_observed_sales,
        bool_or(source_days.is_observed) filter (where source_days.side = 'reviews')
            as is_observed_reviews,
        bool_or(source_days.is_open) filter (where source_days.side = 'sales')
            as is_open,
        bool_or(source_days.is_partial and source_days.is_open) filter (
            where source_days.side in ('sales', 'social')
        ) as is_partial_day,
    from product_sources
    inner join source_days on product_sources.source_name = source_days.source_name
    group by product_sources.product_id, source_days.date_day
),

product_events as (
    select
        product_days.product_id,
        product_days.date_day,
        bool_or(events.event_kind = 'promotion') as is_promo,
        bool_or(events.event_kind = 'holiday') as is_holiday,
        bool_or(events.event_kind = 'stock_out') as is_stock_out,
        bool_or(events.event_kind = 'closed') as is_closed,
    from product_days
    inner join events
        on
            events.is_mapped
            and (events.is_shop_wide or product_days.product_id = events.product_id)
            and product_days.date_day >= events.starts_date
            and product_days.date_day
            <= coalesce(events.ends_date, product_days.date_day)
    group by product_days.product_id, product_days.date_day
),

flagged as (
    select
        product_days.product_id,
        product_days.date_day,
        coalesce(product_events.is_promo, false) as is_promo,
        coalesce(product_events.is_holiday, false) as is_holiday,
        coalesce(product_events.is_stock_out, false) as is_stock_out,
        coalesce(
            observed.is_open,
            not list_contains({{ closed_weekdays() }}, isodow(product_days.date_day))
        )
        and not coalesce(product_events.is_closed, false) as is_open,
        coalesce(observed.is_partial_day, false) as is_partial_day,
        coalesce(observed.is_observed_social, false) as is_observed_social,
        coalesce(observed.is_observed_sales, false) as is_observed_sales,
        coalesce(observed.is_observed_reviews, false) as is_observed_reviews,
    from product_days
    left join observed
        on
            product_days.product_id = observed.product_id
            and product_days.date_day = observed.date_day
    left join product_events
        on
            product_days.product_id = product_events.product_id
            and product_days.date_day = product_events.date_day
),

final as (
    select
        product_id,
        date_day,
        is_promo,
        is_holiday,
        is_stock_out,
        is_open,
        is_partial_day,
        is_observed_social and not is_partial_day as is_observed_social,
        is_observed_sales and is_open and not is_partial_day as is_observed_sales,
        is_observed_reviews and not is_partial_day as is_observed_reviews,
    from flagged
)

select * from final
