{#-
What themes are counted over: each post and review that a person wrote about a tracked
product and that the model could read. One that names two products counts for both.
-#}

with

posts as (
    select * from {{ ref('int_posts__cleaned') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

reviews as (
    select * from {{ ref('int_reviews__unioned') }}
),

scores as (
    select * from {{ ref('int_texts__scored') }}
),

records as (
    select
        'post' as record_kind,
        posts.post_key as record_key,
        post_products.product_id,
        posts.text_key,
        {{ author_key('posts') }} as author_key,
        posts.posted_date as date_day,
        posts.is_simulated,
    from posts
    inner join post_products on posts.post_key = post_products.post_key
    where posts.is_relevant and not posts.is_suspected_bot
    union all
    select
        'review' as record_kind,
        reviews.review_key as record_key,
        reviews.product_id,
        reviews.text_key,
        coalesce(reviews.platform || ':' || reviews.author_id, reviews.review_key)
            as author_key,
        reviews.review_date as date_day,
        reviews.is_simulated,
    from reviews
    where reviews.product_id is not null and reviews.reviewed_at <= {{ cutoff_at() }}
),

final as (
    select
        records.*,
        scores.sentiment_label,
        scores.sentiment_score,
        scores.sentiment_confidence,
    from records
    inner join scores on records.text_key = scores.text_key
    where scores.sentiment_status in ('scored', 'low_confidence')
)

select * from final
