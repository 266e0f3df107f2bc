with

reviews as (
    select * from {{ ref('int_reviews__unioned') }}
),

scores as (
    select * from {{ ref('int_texts__scored') }}
),

final as (
    select
        reviews.review_key,
        reviews.review_id,
        reviews.platform,
        reviews.source,
        reviews.dataset,
        reviews.product_id,
        reviews.product_key,
        reviews.author_id,
        {% if setting_boolean('publish_texts', true) -%}
        reviews.title,
        reviews.body,
        {%- else -%}
        cast(null as varchar) as title,
        cast(null as varchar) as body,
        {%- endif %}
        reviews.text_key,
        reviews.stars,
        reviews.helpful_count,
        scores.p_negative,
        scores.p_neutral,
        scores.p_positive,
        scores.sentiment_label,
        scores.sentiment_score,
        scores.sentiment_confidence,
        coalesce(scores.sentiment_status, 'empty') as sentiment_status,
        scores.model_revision,
        reviews.is_recommended,
        reviews.is_verified_purchase,
        reviews.is_simulated,
        reviews.reviewed_at,
        reviews.review_date,
        reviews.first_fetched_at,
        reviews.last_fetched_at,
    from reviews
    left join scores on reviews.text_key = scores.text_key
)

select * from final
