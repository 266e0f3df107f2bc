with

posts as (
    select * from {{ ref('int_topics__post_words') }}
),

mentions as (
    select * from {{ ref('int_posts__product_mentions') }}
),

emerging_terms as (
    select * from {{ ref('int_topics__emerging_terms') }}
),

{#- A catalogue's hashtags and cashtags are in the text as what they are. -#}
catalogue_terms as (
    select distinct
        post_key,
        lower(matched_term) as topic,
    from mentions
    where term_kind in ('keyword', 'handle')
),

post_tags as (
    select
        post_key,
        unnest(
            list_distinct(
                list_filter(
                    content_words,
                    lambda word: starts_with(word, '#') or starts_with(word, '$')
                )
            )
        ) as topic,
    from posts
),

emerged as (
    select
        topic_kind,
        topic,
        week_start_date,
    from emerging_terms
    where is_emerging and topic_kind in ('word', 'bigram')
),

post_terms as (
    select
        post_key,
        week_start_date,
        unnest({{ topic_terms('content_words') }}) as topic,
    from posts
    where week_start_date in (select emerged.week_start_date from emerged)
),

post_topics as (
    select
        post_key,
        {{ topic_kind('topic') }} as topic_kind,
        topic,
    from post_tags
    union all
    select
        post_key,
        'catalogue_term' as topic_kind,
        topic,
    from catalogue_terms
    union all
    select
        post_terms.post_key,
        emerged.topic_kind,
        post_terms.topic,
    from post_terms
    inner join emerged
        on
            post_terms.topic = emerged.topic
            and post_terms.week_start_date = emerged.week_start_date
),

final as (
    select
        post_topics.topic_kind,
        post_topics.topic,
        posts.date_day,
        posts.week_start_date,
        count(*) filter (where not posts.is_suspected_bot) as posts_count,
        count(distinct posts.author_key) filter (where not posts.is_suspected_bot)
            as authors_count,
        count(*) filter (where posts.is_suspected_bot) as suspected_bot_posts_count,
        {#- The posts that most people reacted to; by key where that is equal. #}
        coalesce(
            max_by(
                posts.post_key,
                { 'engagement': posts.engagement_count, 'post_key': posts.post_key },
                3
            ) filter (where not posts.is_suspected_bot),
            []
        ) as example_post_keys,
        bool_or(posts.is_simulated) as is_simulated,
    from post_topics
    inner join posts on post_topics.post_key = posts.post_key
    group by
        post_topics.topic_kind,
        post_topics.topic,
        posts.date_day,
        posts.week_start_date
)

select * from final
