-- Conservation: what the months of a product add up to is what its days add up to.
with days as (
    select
        product_id,
        sum(units) as units,
        sum(net_sales) as net_sales,
        sum(orders_count) as orders_count,
        sum(reviews_count) as reviews_count,
        sum(posts_count) as posts_count,
        count(*) filter (where is_observed_social) as social_days_count,
    from {{ ref('fct_daily_signals') }}
    group by product_id
),

months as (
    select
        product_id,
        sum(units) as units,
        sum(net_sales) as net_sales,
        sum(orders_count) as orders_count,
        sum(reviews_count) as reviews_count,
        sum(posts_count) as posts_count,
        coalesce(sum(social_observed_days_count), 0) as social_days_count,
    from {{ ref('mart_growth') }}
    group by product_id
)

select
    days.product_id,
    days.units,
    months.units as months_units,
    days.net_sales,
    months.net_sales as months_net_sales,
from days
left join months on days.product_id = months.product_id
where
    abs(days.units - months.units) > 1e-6
    or (days.units is null) != (months.units is null)
    or days.net_sales is distinct from months.net_sales
    or days.orders_count is distinct from months.orders_count
    or days.reviews_count is distinct from months.reviews_count
    or days.posts_count is distinct from months.posts_count
    or days.social_days_count is distinct from months.social_days_count
