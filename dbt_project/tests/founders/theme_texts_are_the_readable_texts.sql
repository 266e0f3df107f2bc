-- Conservation: the texts that shares are of are the relevant, readable posts of people
-- and the readable reviews of the facts, by product.
with facts as (
    select
        bridge.product_id,
        count(*) as texts_count,
    from {{ ref('fct_posts') }} as posts
    inner join {{ ref('bridge_post_products') }} as bridge
        on posts.post_key = bridge.post_key
    where
        posts.is_relevant
        and not posts.is_suspected_bot
        and posts.sentiment_status in ('scored', 'low_confidence')
    group by bridge.product_id
    union all
    select
        product_id,
        count(*) as texts_count,
    from {{ ref('fct_reviews') }}
    where
        product_id is not null
        and reviewed_at <= {{ cutoff_at() }}
        and sentiment_status in ('scored', 'low_confidence')
    group by product_id
),

expected as (
    select
        product_id,
        sum(texts_count) as texts_count,
    from facts
    group by product_id
),

shown as (
    select distinct
        product_id,
        product_texts_count,
    from {{ ref('mart_review_themes') }}
)

select
    shown.product_id,
    shown.product_texts_count,
    expected.texts_count,
from shown
left join expected on shown.product_id = expected.product_id
where shown.product_texts_count is distinct from expected.texts_count
