-- An example is a relevant post of that day; a tag's stands in its words.
with examples as (
    select
        topic_kind,
        topic,
        date_day,
        unnest(example_post_keys) as post_key,
    from {{ ref('mart_trending_topics') }}
)

select
    examples.topic,
    examples.date_day,
    examples.post_key,
from examples
left join {{ ref('fct_posts') }} as posts on examples.post_key = posts.post_key
left join {{ ref('int_topics__post_words') }} as words
    on examples.post_key = words.post_key
where
    posts.post_key is null
    or not posts.is_relevant
    or posts.is_suspected_bot
    or posts.posted_date != examples.date_day
    or (
        examples.topic_kind in ('hashtag', 'cashtag', 'word')
        and not list_contains(words.content_words, examples.topic)
    )
