with posts as (
    select * from {{ ref('fct_posts') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

calendar as (
    select * from {{ ref('int_calendar__days') }}
),

mentions as (
    select distinct
        post_key,
        product_id,
    from post_products
),

candidates as (
    select
        mentions.product_id,
        posts.posted_date as date_day,
        posts.platform,
        posts.sentiment_score,
        posts.is_relevant,
        posts.is_suspected_bot,
    from posts
    inner join mentions on posts.post_key = mentions.post_key
    where
        posts.posted_at <= {{ cutoff_at() }}
        and (
            posts.is_relevant
            or (posts.irrelevance_reason = 'duplicate' and not posts.is_spam)
        )
),

chosen as (
    select
        product_id,
        date_day,
        'with duplicates and suspected bots' as variant,
        'posts' as variant_kind,
        sentiment_score,
    from candidates
    union all
    select
        product_id,
        date_day,
        'without duplicates and suspected bots' as variant,
        'posts' as variant_kind,
        sentiment_score,
    from candidates
    where is_relevant and not is_suspected_bot
    union all
    select
        product_id,
        date_day,
        'posts of ' || platform || ' only' as variant,
        'platform' as variant_kind,
        sentiment_score,
    from candidates
    where is_relevant
),

daily as (
    select
        product_id,
        date_day,
        variant,
        variant_kind,
        count(*) as posts_count,
        avg(sentiment_score) as sentiment_mean,
        case
            when count(sentiment_score) > 1
                then stddev_samp(sentiment_score) / sqrt(count(sentiment_score))
        end as sentiment_se,
    from chosen
    group by product_id, date_day, variant, variant_kind
),

final as (
    select
        daily.product_id,
        daily.date_day,
        daily.variant,
        daily.variant_kind,
        cast(daily.posts_count as bigint) as posts_count,
        cast(daily.sentiment_mean as double) as sentiment_mean,
        cast(daily.sentiment_se as double) as sentiment_se,
    from daily
    inner join calendar
        on
            daily.product_id = calendar.product_id
            and daily.date_day = calendar.date_day
    where calendar.is_observed_social
)

select * from final
