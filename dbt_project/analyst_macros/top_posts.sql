-- noqa: disable=RF02
select
    posts.post_key,
    posts.posted_date,
    posts.platform,
    posts.engagement_count,
    posts.sentiment_label,
    posts.sentiment_score,
    clean_text(posts.text) as words,
    posts.url
from marts.fct_posts as posts
inner join marts.bridge_post_products as mentions
    on posts.post_key = mentions.post_key
where
    mentions.product_id = product
    and posts.is_relevant
    and not posts.is_suspected_bot
    and posts.engagement_count is not null
qualify
    row_number() over (order by posts.engagement_count desc, posts.post_key asc) <= n
order by posts.engagement_count desc, posts.post_key asc
