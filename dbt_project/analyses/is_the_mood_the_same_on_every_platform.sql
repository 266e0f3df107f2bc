{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    posts.platform,
    count(*) as posts_count,
    count(distinct posts.author_id) as authors_count,
    round(avg(posts.sentiment_score), 3) as sentiment_mean,
    round(2 * stddev_samp(posts.sentiment_score) / sqrt(count(*)), 3) as two_se,
from {{ ref('fct_posts') }} as posts
inner join {{ ref('bridge_post_products') }} as mentions
    on posts.post_key = mentions.post_key
where
    mentions.product_id = '{{ var("product_id", "medlar") }}'
    and posts.is_relevant
    and posts.sentiment_score is not null
group by posts.platform
order by posts.platform
