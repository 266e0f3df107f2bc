-- Mentions of a week, bots included, are the posts of its days; shares are a whole.
with weeks as (
    select
        product_id,
        cast(date_trunc('week', date_day) as date) as week_start_date,
        sum(posts_count) as posts_count,
    from {{ ref('fct_daily_signals') }}
    where is_observed_social
    group by product_id, cast(date_trunc('week', date_day) as date)
),

shares as (
    select
        category,
        week_start_date,
        sum(share_ratio) as share_ratio,
    from {{ ref('mart_share_of_voice') }}
    group by category, week_start_date
)

select
    coalesce(weeks.product_id, voices.product_id) as product_id,
    coalesce(weeks.week_start_date, voices.week_start_date) as week_start_date,
    weeks.posts_count,
    voices.mentions_count + voices.suspected_bot_mentions_count as mentions_count,
from weeks
full outer join {{ ref('mart_share_of_voice') }} as voices
    on
        weeks.product_id = voices.product_id
        and weeks.week_start_date = voices.week_start_date
where
    weeks.posts_count
    is distinct from voices.mentions_count + voices.suspected_bot_mentions_count
union all
select
    category as product_id,
    week_start_date,
    1 as posts_count,
    share_ratio as mentions_count,
from shares
where abs(share_ratio - 1) > 1e-9
