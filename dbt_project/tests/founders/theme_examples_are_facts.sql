-- An example is a review or a relevant post about the product.
with examples as (
    select
        product_id,
        'review' as record_kind,
        unnest(praise_review_keys || complaint_review_keys) as record_key,
    from {{ ref('mart_review_themes') }}
    union all
    select
        product_id,
        'post' as record_kind,
        unnest(praise_post_keys || complaint_post_keys) as record_key,
    from {{ ref('mart_review_themes') }}
),

facts as (
    select
        product_id,
        'review' as record_kind,
        review_key as record_key,
    from {{ ref('fct_reviews') }}
    union all
    select
        bridge.product_id,
        'post' as record_kind,
        posts.post_key as record_key,
    from {{ ref('fct_posts') }} as posts
    inner join {{ ref('bridge_post_products') }} as bridge
        on posts.post_key = bridge.post_key
    where posts.is_relevant and not posts.is_suspected_bot
)

select
    examples.product_id,
    examples.record_key,
from examples
left join facts
    on
        examples.product_id = facts.product_id
        and examples.record_kind = facts.record_kind
        and examples.record_key = facts.record_key
where facts.record_key is null
