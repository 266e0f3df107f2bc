-- The posts of observed days are the relevant posts that mention the product.
with mentions as (
    select distinct
        posts.post_key,
        mentioned.product_id,
        posts.posted_date,
    from {{ ref('fct_posts') }} as posts
    inner join {{ ref('bridge_post_products') }} as mentioned
        on posts.post_key = mentioned.post_key
    where posts.is_relevant
),

counted as (
    select
        product_id,
        posted_date,
        count(*) as posts_count,
    from mentions
    group by product_id, posted_date
)

select
    signals.product_id,
    signals.date_day,
    signals.posts_count,
    counted.posts_count as mentions_count,
from {{ ref('fct_daily_signals') }} as signals
left join counted
    on
        signals.product_id = counted.product_id
        and signals.date_day = counted.posted_date
where signals.posts_count != coalesce(counted.posts_count, 0)
