-- Conservation: every relevant post of an observed day with a keyword or handle of the
-- catalogue is counted under it once, by people or by suspected bots.
with expected as (
    select
        lower(mentions.matched_term) as topic,
        posts.posted_date as date_day,
        count(distinct posts.post_key) as posts_count,
    from {{ ref('fct_posts') }} as posts
    inner join {{ ref('int_posts__product_mentions') }} as mentions
        on posts.post_key = mentions.post_key
    inner join {{ ref('int_calendar__source_days') }} as source_days
        on
            posts.posted_date = source_days.date_day
            and source_days.side = 'social'
            and source_days.is_observed
    where posts.is_relevant and mentions.term_kind in ('keyword', 'handle')
    group by lower(mentions.matched_term), posts.posted_date
),

counted as (
    select
        topic,
        date_day,
        posts_count + suspected_bot_posts_count as posts_count,
    from {{ ref('int_topics__daily_counts') }}
    where topic_kind = 'catalogue_term'
)

(
    select * from expected
    except all
    select * from counted
)
union all
(
    select * from counted
    except all
    select * from expected
)
