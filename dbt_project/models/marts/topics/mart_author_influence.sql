with

engagement as (
    select * from {{ ref('int_authors__engagement') }}
),

influence as (
    select * from {{ ref('int_authors__influence') }}
),

final as (
    select
        engagement.author_id,
        engagement.platform,
        engagement.follower_tier,
        engagement.compared_tier,
        engagement.followers_count,
        cast(engagement.posts_count as bigint) as posts_count,
        cast(engagement.engagement_posts_count as bigint) as engagement_posts_count,
        cast(engagement.engagement_count as bigint) as engagement_count,
        cast(
            engagement.engagement_count
            / nullif(engagement.engagement_posts_count, 0) as double
        ) as engagement_mean,
        influence.tier_typical_engagement,
        influence.typical_engagement,
        influence.typical_engagement_low,
        influence.typical_engagement_high,
        influence.own_weight_ratio,
        cast(
            engagement.suspected_bot_posts_count / engagement.posts_count as double
        ) as suspected_bot_posts_ratio,
        engagement.suspected_bot_posts_count > 0 as is_suspected_bot,
        engagement.first_posted_date,
        engagement.last_posted_date,
        engagement.is_simulated,
    from engagement
    left join influence
        on
            engagement.platform = influence.platform
            and engagement.author_id = influence.author_id
)

select
    author_id,
    platform,
    follower_tier,
    compared_tier,
    followers_count,
    posts_count,
    engagement_posts_count,
    engagement_count,
    engagement_mean,
    tier_typical_engagement,
    typical_engagement,
    typical_engagement_low,
    typical_engagement_high,
    own_weight_ratio,
    suspected_bot_posts_ratio,
    is_suspected_bot,
    first_posted_date,
    last_posted_date,
    is_simulated,
from final
