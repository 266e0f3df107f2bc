-- Conservation: posts and scored posts over platforms are those of the observed days.
with days as (
    select
        product_id,
        cast(date_trunc('week', date_day) as date) as week_start_date,
        sum(posts_count) as posts_count,
        sum(scored_posts_count) as scored_posts_count,
    from {{ ref('fct_daily_signals') }}
    where is_observed_social
    group by product_id, cast(date_trunc('week', date_day) as date)
),

weeks as (
    select
        product_id,
        week_start_date,
        sum(posts_count) as posts_count,
        sum(scored_posts_count) as scored_posts_count,
    from {{ ref('mart_brand_sentiment') }}
    group by product_id, week_start_date
)

select
    days.product_id,
    days.week_start_date,
    days.posts_count,
    weeks.posts_count as platform_posts_count,
from days
full outer join weeks
    on
        days.product_id = weeks.product_id
        and days.week_start_date = weeks.week_start_date
where
    coalesce(days.posts_count, 0) != coalesce(weeks.posts_count, 0)
    or coalesce(days.scored_posts_count, 0) != coalesce(weeks.scored_posts_count, 0)
