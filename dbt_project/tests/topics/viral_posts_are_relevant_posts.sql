-- A viral post is a fact that counts, with the fact's engagement.
select
    viral.post_key,
    viral.engagement_count,
    posts.engagement_count as fact_engagement_count,
from {{ ref('mart_viral_posts') }} as viral
left join {{ ref('fct_posts') }} as posts on viral.post_key = posts.post_key
where
    posts.post_key is null
    or not posts.is_relevant
    or viral.engagement_count != posts.engagement_count
