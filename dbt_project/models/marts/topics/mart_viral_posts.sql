{#-
A post is held against others of its platform, follower tier and age when last fetched:
the first hours of a post say little of its end. Where fewer than fifty such posts are
known, against the nearest tier, then its platform and age, then its platform.
-#}
{%- set posts_min = 50 -%}
{%- set z_min = 3.5 -%}
{%- set engagement_min = 10 -%}

with

posts as (
    select * from {{ ref('fct_posts') }}
),

measured as (
    select
        post_key,
        platform,
        author_id,
        url,
        {{ follower_tier('author_followers_count') }} as follower_tier,
        {{ follower_tier_rank(follower_tier('author_followers_count')) }} as tier_rank,
        posted_at,
        posted_date,
        last_fetched_at,
        date_diff('second', posted_at, last_fetched_at) / 3600.0 as age_hours,
        date_diff('second', posted_at, last_fetched_at) < 86400 as is_under_a_day,
        engagement_count,
        ln(1 + greatest(engagement_count, 0)) as log_engagement,
        sentiment_score,
        is_suspected_bot,
        is_simulated,
    from posts
    where
        is_relevant
        and engagement_count is not null
        and posted_at is not null
        and last_fetched_at is not null
),

{#- Each post in the groups that it can be held against, the narrowest first. -#}
grouped as (
    {%- for level, columns in [
        ('tier_and_age', ['follower_tier', 'is_under_a_day']),
        ('age', ['is_under_a_day']),
        ('platform', []),
    ] %}
    select
        {{ loop.index }} as level_order,
        '{{ level }}' as compared_with,
        platform,
        {{ 'follower_tier' if 'follower_tier' in columns else 'null' }}
            as follower_tier,
        {{ 'is_under_a_day' if 'is_under_a_day' in columns else 'null' }}
            as is_under_a_day,
        log_engagement,
    from measured
    where not is_suspected_bot
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{#- The MAD is 0 where most posts get nothing: the upper side has its own spread. -#}
usual as (
    select
        level_order,
        compared_with,
        platform,
        follower_tier,
        {{ follower_tier_rank('follower_tier') }} as tier_rank,
        is_under_a_day,
        count(*) as posts_count,
        median(log_engagement) as log_median,
        greatest(
            1.4826 * mad(log_engagement),
            (quantile_cont(log_engagement, 0.9) - median(log_engagement)) / 1.2816,
            0.5
        ) as log_spread,
    from grouped
    group by level_order, compared_with, platform, follower_tier, is_under_a_day
    having count(*) >= {{ posts_min }}
),

kinds as (
    select distinct
        platform,
        follower_tier,
        tier_rank,
        is_under_a_day,
    from measured
),

{#- Every kind of post has one group that it is held against: few rows to sort. -#}
yardsticks as (
    select
        kinds.platform,
        kinds.follower_tier,
        kinds.is_under_a_day,
        usual.compared_with,
        usual.follower_tier as compared_tier,
        usual.posts_count as compared_posts_count,
        usual.log_median,
        usual.log_spread,
    from kinds
    inner join usual
        on
            kinds.platform = usual.platform
            and (
                usual.follower_tier is null
                or kinds.follower_tier = usual.follower_tier
                or kinds.tier_rank != usual.tier_rank
            )
            and (
                usual.is_under_a_day is null
                or kinds.is_under_a_day = usual.is_under_a_day
            )
    qualify
        row_number() over (
            partition by kinds.platform, kinds.follower_tier, kinds.is_under_a_day
            order by
                usual.level_order asc,
                coalesce(abs(usual.tier_rank - kinds.tier_rank), 0) asc,
                usual.tier_rank asc
        ) = 1
),

compared as (
    select
        measured.*,
        yardsticks.compared_with,
        yardsticks.compared_tier,
        yardsticks.compared_posts_count,
        yardsticks.log_median,
        yardsticks.log_spread,
    from measured
    inner join yardsticks
        on
            measured.platform = yardsticks.platform
            and measured.follower_tier = yardsticks.follower_tier
            and measured.is_under_a_day = yardsticks.is_under_a_day
),

final as (
    select
        post_key,
        platform,
        author_id,
        url,
        posted_at,
        posted_date,
        follower_tier,
        engagement_count,
        exp(log_median) - 1 as usual_engagement_count,
        (1 + engagement_count) / exp(log_median) as engagement_ratio,
        (log_engagement - log_median) / log_spread as robust_z,
        compared_with,
        compared_tier,
        cast(compared_posts_count as bigint) as compared_posts_count,
        age_hours,
        is_under_a_day as is_still_counting,
        sentiment_score,
        is_suspected_bot,
        is_simulated,
    from compared
    where
        engagement_count >= {{ engagement_min }}
        and log_engagement - log_median >= {{ z_min }} * log_spread
)

select
    post_key,
    platform,
    author_id,
    url,
    posted_at,
    posted_date,
    follower_tier,
    engagement_count,
    usual_engagement_count,
    engagement_ratio,
    robust_z,
    compared_with,
    compared_tier,
    compared_posts_count,
    cast(age_hours as double) as age_hours,
    is_still_counting,
    sentiment_score,
    is_suspected_bot,
    is_simulated,
from final
