{#-
Each series by month: daily series as totals or means of their observed days, the rating
over reviews and the positive share over posts, each with what its change needs.
-#}

with

days as (
    select * from {{ ref('int_growth__days') }}
),

calendar as (
    select * from {{ ref('int_calendar__days') }}
),

daily as (
    select * from {{ ref('int_daily__signals') }}
),

reviews as (
    select * from {{ ref('fct_reviews') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

of_days as (
    select
        product_id,
        metric,
        value_kind,
        metric_family,
        month_start_date,
        count(day_value) as observed_days_count,
        count(*) filter (where is_expected) as expected_days_count,
        case when value_kind = 'total' then sum(day_value) else avg(day_value) end
            as month_value,
        avg(day_value) as day_level,
        cast(null as bigint) as records_count,
        cast(null as double) as effective_records,
        cast(null as double) as record_variance,
        bool_or(is_simulated) as is_simulated,
    from days
    group by product_id, metric, value_kind, metric_family, month_start_date
),

{#- Days without a review are observed, or not, all the same. -#}
review_days as (
    select
        product_id,
        month_start_date,
        observed_days_count,
        expected_days_count,
        is_simulated,
    from of_days
    where metric = 'reviews_count'
),

social_days as (
    select
        product_id,
        month_start_date,
        observed_days_count,
        expected_days_count,
        is_simulated,
    from of_days
    where metric = 'posts_count'
),

review_ratings as (
    select
        reviews.product_id,
        cast(date_trunc('month', reviews.review_date) as date) as month_start_date,
        count(*) as records_count,
        avg(reviews.stars) as month_value,
        var_samp(reviews.stars) as record_variance,
    from reviews
    inner join calendar
        on
            reviews.product_id = calendar.product_id
            and reviews.review_date = calendar.date_day
            and calendar.is_observed_reviews
    where reviews.reviewed_at <= {{ cutoff_at() }} and reviews.stars is not null
    group by reviews.product_id, cast(date_trunc('month', reviews.review_date) as date)
),

{#- Ratings that a data set states by day: of how many reviews is not known. -#}
stated_ratings as (
    select
        daily.product_id,
        cast(date_trunc('month', daily.date_day) as date) as month_start_date,
        avg(daily.rating_mean) as month_value,
        count(*) as rated_days_count,
        bool_or(daily.is_simulated) as is_simulated,
    from daily
    where daily.rating_mean is not null
    group by daily.product_id, cast(date_trunc('month', daily.date_day) as date)
),

ratings as (
    select
        stated_ratings.product_id,
        'rating_mean' as metric,
        'rating' as value_kind,
        'reviews' as metric_family,
        stated_ratings.month_start_date,
        coalesce(
            review_days.observed_days_count, stated_ratings.rated_days_count
        ) as observed_days_count,
        coalesce(
            review_days.expected_days_count,
            day(last_day(stated_ratings.month_start_date))
        ) as expected_days_count,
        coalesce(review_ratings.month_value, stated_ratings.month_value) as month_value,
        coalesce(review_ratings.month_value, stated_ratings.month_value) as day_level,
        review_ratings.records_count,
        cast(review_ratings.records_count as double) as effective_records,
        {#- As if one review stood a star apart: many equal stars are no certainty. #}
        greatest(
            review_ratings.record_variance, 1.0 / review_ratings.records_count
        ) as record_variance,
        stated_ratings.is_simulated,
    from stated_ratings
    left join review_ratings
        on
            stated_ratings.product_id = review_ratings.product_id
            and stated_ratings.month_start_date = review_ratings.month_start_date
    left join review_days
        on
            stated_ratings.product_id = review_days.product_id
            and stated_ratings.month_start_date = review_days.month_start_date
),

author_opinions as (
    select
        post_products.product_id,
        cast(date_trunc('month', posts.posted_date) as date) as month_start_date,
        {{ author_key('posts') }} as author_key,
        count(posts.sentiment_label) as scored_count,
        count(*) filter (where posts.sentiment_label = 'positive') as positive_count,
    from posts
    inner join post_products on posts.post_key = post_products.post_key
    inner join calendar
        on
            post_products.product_id = calendar.product_id
            and posts.posted_date = calendar.date_day
            and calendar.is_observed_social
    where posts.is_relevant
    group by
        post_products.product_id,
        cast(date_trunc('month', posts.posted_date) as date),
        {{ author_key('posts') }}
),

opinions as (
    select
        product_id,
        month_start_date,
        sum(scored_count) as scored_count,
        sum(positive_count) / nullif(sum(scored_count), 0) as positive_ratio,
        {{ effective_count(
            'sum(scored_count)', 'sum(scored_count * scored_count)'
        ) }} as effective_records,
    from author_opinions
    group by product_id, month_start_date
),

positive_shares as (
    select
        social_days.product_id,
        'positive_ratio' as metric,
        'share' as value_kind,
        'social' as metric_family,
        social_days.month_start_date,
        social_days.observed_days_count,
        social_days.expected_days_count,
        opinions.positive_ratio as month_value,
        opinions.positive_ratio as day_level,
        case
            when social_days.observed_days_count > 0
                then coalesce(opinions.scored_count, 0)
        end as records_count,
        opinions.effective_records,
        cast(null as double) as record_variance,
        social_days.is_simulated,
    from social_days
    left join opinions
        on
            social_days.product_id = opinions.product_id
            and social_days.month_start_date = opinions.month_start_date
),

final as (
    select * from of_days
    union all by name
    select * from ratings
    union all by name
    select * from positive_shares
)

select * from final
