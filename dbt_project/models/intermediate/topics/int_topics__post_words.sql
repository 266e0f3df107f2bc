{#-
Posts become words once, for all that counts topics: relevant posts of days whose posts
are known. Texts and words stay here; marts hold terms that several people used.
-#}

with

posts as (
    select * from {{ ref('int_posts__cleaned') }}
),

source_days as (
    select * from {{ ref('int_calendar__source_days') }}
),

observed_days as (
    select date_day
    from source_days
    where side = 'social' and is_observed
),

final as (
    select
        posts.post_key,
        posts.posted_date as date_day,
        cast(date_trunc('week', posts.posted_date) as date) as week_start_date,
        {{ author_key('posts') }} as author_key,
        coalesce(posts.like_count, 0)
        + coalesce(posts.reply_count, 0)
        + coalesce(posts.repost_count, 0)
        + coalesce(posts.quote_count, 0) as engagement_count,
        {{ content_words(words('posts.text')) }} as content_words,
        posts.is_suspected_bot,
        posts.is_simulated,
    from posts
    inner join observed_days on posts.posted_date = observed_days.date_day
    where posts.is_relevant
)

select * from final
