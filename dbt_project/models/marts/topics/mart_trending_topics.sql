{#-
Of all tags, the ones that enough people used on some day; of words, those that emerged,
in the weeks in which they did. A rare term may point to a person.
-#}

with

counts as (
    select * from {{ ref('int_topics__daily_counts') }}
),

bursts as (
    select * from {{ ref('int_topics__bursts') }}
),

emerging_terms as (
    select * from {{ ref('int_topics__emerging_terms') }}
),

shown_topics as (
    select
        topic_kind,
        topic,
    from counts
    group by topic_kind, topic
    having
        max(authors_count) >= {{ topic_authors_min() }}
        or topic_kind in ('word', 'bigram')
),

final as (
    select
        counts.topic_kind,
        counts.topic,
        counts.date_day,
        counts.week_start_date,
        cast(counts.posts_count as bigint) as posts_count,
        cast(counts.authors_count as bigint) as authors_count,
        cast(counts.suspected_bot_posts_count as bigint) as suspected_bot_posts_count,
        bursts.expected_authors_count,
        cast(bursts.expected_low_authors_count as bigint) as expected_low_authors_count,
        cast(bursts.expected_high_authors_count as bigint)
            as expected_high_authors_count,
        counts.authors_count / nullif(bursts.expected_authors_count, 0) as burst_ratio,
        bursts.p_value,
        bursts.q_value,
        coalesce(bursts.is_burst, false) as is_burst,
        cast(emerging_terms.authors_count as bigint) as week_authors_count,
        emerging_terms.expected_authors_count as week_expected_authors_count,
        emerging_terms.z_score as emerging_z,
        emerging_terms.q_value as emerging_q_value,
        coalesce(emerging_terms.is_emerging, false) as is_emerging,
        counts.example_post_keys,
        counts.is_simulated,
    from counts
    inner join shown_topics
        on
            counts.topic_kind = shown_topics.topic_kind
            and counts.topic = shown_topics.topic
    left join bursts
        on
            counts.topic_kind = bursts.topic_kind
            and counts.topic = bursts.topic
            and counts.date_day = bursts.date_day
    left join emerging_terms
        on
            counts.topic_kind = emerging_terms.topic_kind
            and counts.topic = emerging_terms.topic
            and counts.week_start_date = emerging_terms.week_start_date
)

select
    topic_kind,
    topic,
    date_day,
    week_start_date,
    posts_count,
    authors_count,
    suspected_bot_posts_count,
    expected_authors_count,
    expected_low_authors_count,
    expected_high_authors_count,
    burst_ratio,
    p_value,
    q_value,
    is_burst,
    week_authors_count,
    week_expected_authors_count,
    emerging_z,
    emerging_q_value,
    is_emerging,
    example_post_keys,
    is_simulated,
from final
