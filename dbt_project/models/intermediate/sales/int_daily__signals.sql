with calendar as (
    select * from {{ ref('int_calendar__days') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

sales as (
    select * from {{ ref('int_sales__daily') }}
),

reviews as (
    select * from {{ ref('fct_reviews') }}
),

other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

mentions as (
    select distinct
        post_key,
        product_id,
    from post_products
),

daily_posts as (
    select
        mentions.product_id,
        posts.posted_date as date_day,
        count(*) as posts_count,
        count(distinct posts.platform || ':' || posts.author_id) as authors_count,
        count(posts.sentiment_score) as scored_count,
        avg(posts.sentiment_score) as sentiment_mean,
        stddev_samp(posts.sentiment_score) as sentiment_sd,
        (
            count(*) filter (where posts.sentiment_label = 'positive')
            - count(*) filter (where posts.sentiment_label = 'negative')
        ) / nullif(count(posts.sentiment_score), 0) as net_sentiment,
        count(*) filter (where posts.sentiment_label in ('positive', 'negative'))
        / nullif(count(posts.sentiment_score), 0) as opinion_ratio,
        sum(posts.engagement_count) as engagement_count,
        bool_or(posts.is_simulated) as is_simulated,
    from posts
    inner join mentions on posts.post_key = mentions.post_key
    where posts.is_relevant and posts.posted_at <= {{ cutoff_at() }}
    group by mentions.product_id, posts.posted_date
),

daily_reviews as (
    select
        product_id,
        review_date as date_day,
        count(*) as reviews_count,
        avg(stars) as rating_mean,
        bool_or(is_simulated) as is_simulated,
    from reviews
    where product_id is not null and reviewed_at <= {{ cutoff_at() }}
    group by product_id, review_date
),

-- Products with sales lines of their own; others may have units or sales as a metric.
selling_products as (
    select
        product_id,
        bool_or(has_money) as has_money,
        bool_and(orders_count is not null) as has_order_numbers,
    from sales
    where product_id is not null
    group by product_id
),

-- Outcomes that a data set states as daily totals stand in where there are no lines.
stated as (
    select
        product_id,
        date_day,
        max(metric_value) filter (where metric = 'units') as units,
        max(metric_value) filter (where metric = 'net_sales') as net_sales,
        max(metric_value) filter (where metric = 'orders_count') as orders_count,
        max(metric_value) filter (where metric = 'reviews_count') as reviews_count,
        max(metric_value) filter (where metric = 'rating_mean') as rating_mean,
        max(metric_value) filter (where metric = 'search_interest') as search_interest,
        max(metric_value_se) filter (where metric = 'search_interest')
            as search_interest_se,
        bool_or(is_simulated) as is_simulated,
    from other_metrics
    group by product_id, date_day
),

combined as (
    select
        calendar.product_id,
        calendar.date_day,
        products.category,
        case
            when calendar.is_observed_social then coalesce(daily_posts.posts_count, 0)
        end as posts_count,
        case
            when calendar.is_observed_social then coalesce(daily_posts.authors_count, 0)
        end as authors_count,
        case
            when calendar.is_observed_social then coalesce(daily_posts.scored_count, 0)
        end as scored_posts_count,
        case when calendar.is_observed_social then daily_posts.sentiment_mean end
            as sentiment_mean,
        case when calendar.is_observed_social then daily_posts.sentiment_sd end
            as sentiment_sd,
        case
            when calendar.is_observed_social and daily_posts.scored_count > 1
                then daily_posts.sentiment_sd / sqrt(daily_posts.scored_count)
        end as sentiment_se,
        case when calendar.is_observed_social then daily_posts.net_sentiment end
            as net_sentiment,
        -- Of labels that are 1, 0 or -1.
        case
            when calendar.is_observed_social and daily_posts.scored_count > 1
                then
                    sqrt(
                        greatest(
                            0,
                            daily_posts.opinion_ratio
                            - daily_posts.net_sentiment * daily_posts.net_sentiment
                        )
                        / (daily_posts.scored_count - 1)
                    )
        end as net_sentiment_se,
        -- No post, no engagement; posts whose counts nobody reported stay unknown.
        case
            when not calendar.is_observed_social then null
            when daily_posts.posts_count is null then 0
            else daily_posts.engagement_count
        end as engagement_count,
        case
            when selling_products.product_id is null then stated.units
            when calendar.is_observed_sales then coalesce(sales.units, 0)
        end as units,
        case
            when selling_products.product_id is null then stated.net_sales
            when calendar.is_observed_sales and selling_products.has_money
                then coalesce(sales.net_sales, 0)
        end as net_sales,
        case
            when selling_products.product_id is null then stated.orders_count
            when calendar.is_observed_sales and selling_products.has_order_numbers
                then coalesce(sales.orders_count, 0)
        end as orders_count,
        case
            when calendar.is_observed_reviews
                then coalesce(daily_reviews.reviews_count, 0)
            else stated.reviews_count
        end as reviews_count,
        case
            when calendar.is_observed_reviews then daily_reviews.rating_mean
            else stated.rating_mean
        end as rating_mean,
        stated.search_interest,
        stated.search_interest_se,
        calendar.is_promo,
        calendar.is_holiday,
        calendar.is_stock_out,
        calendar.is_open,
        calendar.is_observed_social,
        calendar.is_observed_sales
        or (
            selling_products.product_id is null
            and (stated.units is not null or stated.net_sales is not null)
        ) as is_observed_sales,
        calendar.is_partial_day,
        {{ 'true' if setting_boolean('is_simulated') else 'false' }}
        or coalesce(daily_posts.is_simulated, false)
        or coalesce(sales.is_simulated, false)
        or coalesce(daily_reviews.is_simulated, false)
        or coalesce(stated.is_simulated, false) as is_simulated,
    from calendar
    inner join products on calendar.product_id = products.product_id
    left join daily_posts
        on
            calendar.product_id = daily_posts.product_id
            and calendar.date_day = daily_posts.date_day
    left join sales
        on
            calendar.product_id = sales.product_id
            and calendar.date_day = sales.date_day
    left join selling_products
        on calendar.product_id = selling_products.product_id
    left join daily_reviews
        on
            calendar.product_id = daily_reviews.product_id
            and calendar.date_day = daily_reviews.date_day
    left join stated
        on
            calendar.product_id = stated.product_id
            and calendar.date_day = stated.date_day
),

final as (
    select
        product_id,
        date_day,
        cast(posts_count as bigint) as posts_count,
        cast(authors_count as bigint) as authors_count,
        cast(scored_posts_count as bigint) as scored_posts_count,
        cast(sentiment_mean as double) as sentiment_mean,
        cast(sentiment_sd as double) as sentiment_sd,
        cast(sentiment_se as double) as sentiment_se,
        cast(net_sentiment as double) as net_sentiment,
        cast(net_sentiment_se as double) as net_sentiment_se,
        cast(engagement_count as bigint) as engagement_count,
        cast(
            posts_count
            / nullif(sum(posts_count) over (partition by category, date_day), 0)
            as double
        ) as share_of_voice_ratio,
        cast(units as double) as units,
        cast(net_sales as decimal(18, 3)) as net_sales,
        cast(orders_count as bigint) as orders_count,
        cast(reviews_count as bigint) as reviews_count,
        cast(rating_mean as double) as rating_mean,
        cast(search_interest as double) as search_interest,
        cast(search_interest_se as double) as search_interest_se,
        is_promo,
        is_holiday,
        is_stock_out,
        is_open,
        is_observed_social,
        is_observed_sales,
        is_partial_day,
        is_simulated,
    from combined
)

select * from final
