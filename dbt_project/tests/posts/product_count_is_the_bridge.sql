{#- What a post says of its products agrees with the bridge, row by row. -#}

with

posts as (
    select
        post_key,
        product_count,
    from {{ ref('fct_posts') }}
),

mentions as (
    select
        post_key,
        count(*) as product_count,
    from {{ ref('bridge_post_products') }}
    group by post_key
)

select
    posts.post_key,
    posts.product_count,
    mentions.product_count as bridge_count,
from posts
left join mentions on posts.post_key = mentions.post_key
where posts.product_count != coalesce(mentions.product_count, 0)
