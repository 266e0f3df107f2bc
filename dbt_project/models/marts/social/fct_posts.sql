with

posts as (
    select * from {{ ref('int_posts__cleaned') }}
),

scores as (
    select * from {{ ref('int_texts__scored') }}
),

final as (
    select
        posts.post_key,
        posts.post_id,
        posts.platform,
        posts.source,
        posts.dataset,
        posts.author_id,
        posts.author_followers_count,
        posts.reposted_post_id,
        {#- Platforms let ids be shared, not texts; a hidden text is shown nowhere. #}
        {% if setting_boolean('publish_texts', true) -%}
        case when not posts.is_withheld then posts.text end as text,
        {%- else -%}
        cast(null as varchar) as text,
        {%- endif %}
        posts.text_key,
        posts.language,
        posts.url,
        posts.like_count,
        posts.reply_count,
        posts.repost_count,
        posts.quote_count,
        posts.view_count,
        {#- Unknown counts are left out of the sum; with none known it is unknown. #}
        case
            when
                coalesce(
                    posts.like_count,
                    posts.reply_count,
                    posts.repost_count,
                    posts.quote_count
                ) is not null
                then
                    coalesce(posts.like_count, 0)
                    + coalesce(posts.reply_count, 0)
                    + coalesce(posts.repost_count, 0)
                    + coalesce(posts.quote_count, 0)
        end as engagement_count,
        cast(posts.product_count as bigint) as product_count,
        scores.p_negative,
        scores.p_neutral,
        scores.p_positive,
        scores.sentiment_label,
        scores.sentiment_score,
        scores.sentiment_confidence,
        coalesce(scores.sentiment_status, 'empty') as sentiment_status,
        scores.model_revision,
        posts.is_edited,
        posts.is_repost,
        posts.is_duplicate,
        posts.duplicate_reason,
        posts.is_spam,
        posts.spam_reason,
        posts.is_suspected_bot,
        posts.bot_reason,
        posts.is_withheld,
        posts.withheld_reason,
        posts.is_relevant,
        posts.irrelevance_reason,
        posts.is_simulated,
        posts.posted_at,
        posts.posted_date,
        posts.first_fetched_at,
        posts.last_fetched_at,
    from posts
    left join scores on posts.text_key = scores.text_key
)

select * from final
