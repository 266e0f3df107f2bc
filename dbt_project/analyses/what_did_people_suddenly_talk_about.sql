{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    topics.date_day,
    topics.topic_kind,
    topics.topic,
    topics.authors_count,
    round(topics.expected_authors_count, 1) as expected_authors_count,
    topics.week_authors_count,
    round(topics.week_expected_authors_count, 1) as week_expected_authors_count,
    topics.is_burst,
    topics.is_emerging,
    posts.url as an_example,
from {{ ref('mart_trending_topics') }} as topics
left join {{ ref('fct_posts') }} as posts
    on topics.example_post_keys[1] = posts.post_key
where topics.is_burst or topics.is_emerging
order by topics.date_day desc, topics.topic_kind asc, topics.topic asc
