with

posts as (
    select * from {{ ref('fct_posts') }}
),

authored as (
    select
        platform,
        author_id,
        post_key,
        author_followers_count,
        engagement_count,
        {#- Reddit's score counts votes down: below 0 is as little as can be. Unknown
            stays unknown, which greatest() alone would make 0. #}
        case
            when engagement_count is not null
                then ln(1 + greatest(engagement_count, 0))
        end as log_engagement,
        is_suspected_bot,
        is_simulated,
        posted_date,
        last_fetched_at,
    from posts
    where is_relevant and author_id is not null
),

authors as (
    select
        platform,
        author_id,
        {#- As last seen, unknown only if no fetch ever said. #}
        max_by(
            author_followers_count,
            { 'last_fetched_at': last_fetched_at, 'post_key': post_key }
        ) filter (where author_followers_count is not null) as followers_count,
        count(*) as posts_count,
        count(engagement_count) as engagement_posts_count,
        sum(engagement_count) as engagement_count,
        avg(log_engagement) as log_mean,
        coalesce(var_pop(log_engagement) * count(log_engagement), 0) as log_square_sum,
        count(*) filter (where is_suspected_bot) as suspected_bot_posts_count,
        min(posted_date) as first_posted_date,
        max(posted_date) as last_posted_date,
        bool_or(is_simulated) as is_simulated,
    from authored
    group by platform, author_id
),

tiered as (
    select
        *,
        {{ follower_tier('followers_count') }} as follower_tier,
    from authors
),

tiers as (
    select
        platform,
        follower_tier,
        {{ follower_tier_rank('follower_tier') }} as tier_rank,
        count(*) filter (
            where suspected_bot_posts_count = 0 and engagement_posts_count > 0
        ) as authors_count,
    from tiered
    group by platform, follower_tier
),

{#- A tier of few authors borrows from the nearest that has enough, the lower first. -#}
lenders as (
    select
        tiers.platform,
        tiers.follower_tier,
        lenders.follower_tier as compared_tier,
    from tiers
    inner join tiers as lenders
        on
            tiers.platform = lenders.platform
            and (
                tiers.follower_tier = lenders.follower_tier
                or tiers.tier_rank != lenders.tier_rank
            )
    where lenders.authors_count >= {{ tier_authors_min() }}
    qualify
        row_number() over (
            partition by tiers.platform, tiers.follower_tier
            order by
                coalesce(abs(lenders.tier_rank - tiers.tier_rank), 0) asc,
                lenders.tier_rank asc
        ) = 1
),

final as (
    select
        tiered.*,
        lenders.compared_tier,
    from tiered
    left join lenders
        on
            tiered.platform = lenders.platform
            and tiered.follower_tier = lenders.follower_tier
)

select * from final
