with daily as (
    select * from {{ ref('int_daily__signals') }}
)

select
    product_id,
    date_day,
    posts_count,
    authors_count,
    scored_posts_count,
    sentiment_mean,
    sentiment_sd,
    sentiment_se,
    net_sentiment,
    engagement_count,
    share_of_voice_ratio,
    units,
    net_sales,
    orders_count,
    reviews_count,
    rating_mean,
    search_interest,
    search_interest_se,
    is_promo,
    is_holiday,
    is_stock_out,
    is_open,
    is_observed_social,
    is_observed_sales,
    is_partial_day,
    is_simulated,
from daily
