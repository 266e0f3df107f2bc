with

products as (
    select * from {{ ref('dim_products') }}
),

calendar as (
    select * from {{ ref('int_calendar__days') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

product_weeks as (
    select
        products.category,
        calendar.product_id,
        cast(date_trunc('week', calendar.date_day) as date) as week_start_date,
        count(*) filter (where calendar.is_observed_social) as observed_days_count,
    from calendar
    inner join products on calendar.product_id = products.product_id
    group by
        products.category,
        calendar.product_id,
        cast(date_trunc('week', calendar.date_day) as date)
),

mentions as (
    select
        products.category,
        post_products.product_id,
        cast(date_trunc('week', posts.posted_date) as date) as week_start_date,
        {{ author_key('posts') }} as author_key,
        posts.is_suspected_bot,
        posts.is_simulated,
    from posts
    inner join post_products on posts.post_key = post_products.post_key
    inner join products on post_products.product_id = products.product_id
    inner join calendar
        on
            post_products.product_id = calendar.product_id
            and posts.posted_date = calendar.date_day
    where posts.is_relevant and calendar.is_observed_social
),

product_mentions as (
    select
        product_id,
        week_start_date,
        count(*) filter (where not is_suspected_bot) as mentions_count,
        count(*) filter (where is_suspected_bot) as suspected_bot_mentions_count,
        count(distinct author_key) filter (where not is_suspected_bot) as authors_count,
        bool_or(is_simulated) as is_simulated,
    from mentions
    group by product_id, week_start_date
),

author_mentions as (
    select
        category,
        week_start_date,
        author_key,
        count(*) as mentions_count,
    from mentions
    where not is_suspected_bot
    group by category, week_start_date, author_key
),

{#- Mentions of one author are no independent draws: Kish's effective number (1965). -#}
category_weeks as (
    select
        category,
        week_start_date,
        sum(mentions_count) as mentions_count,
        sum(mentions_count) * sum(mentions_count) / sum(mentions_count * mentions_count)
            as effective_mentions,
    from author_mentions
    group by category, week_start_date
),

counted as (
    select
        product_weeks.category,
        product_weeks.product_id,
        product_weeks.week_start_date,
        product_weeks.observed_days_count,
        coalesce(product_mentions.mentions_count, 0) as mentions_count,
        coalesce(product_mentions.authors_count, 0) as authors_count,
        coalesce(product_mentions.suspected_bot_mentions_count, 0)
            as suspected_bot_mentions_count,
        coalesce(category_weeks.mentions_count, 0) as category_mentions_count,
        category_weeks.effective_mentions as category_effective_mentions,
        coalesce(product_mentions.mentions_count, 0) / category_weeks.mentions_count
            as share_ratio,
        {{ 'true' if setting_boolean('is_simulated') else 'false' }}
        or coalesce(product_mentions.is_simulated, false) as is_simulated,
    from product_weeks
    left join product_mentions
        on
            product_weeks.product_id = product_mentions.product_id
            and product_weeks.week_start_date = product_mentions.week_start_date
    left join category_weeks
        on
            product_weeks.category = category_weeks.category
            and product_weeks.week_start_date = category_weeks.week_start_date
    where product_weeks.observed_days_count > 0
),

final as (
    select
        category,
        product_id,
        week_start_date,
        cast(observed_days_count as bigint) as observed_days_count,
        observed_days_count < 7 as is_partial_week,
        cast(mentions_count as bigint) as mentions_count,
        cast(authors_count as bigint) as authors_count,
        cast(suspected_bot_mentions_count as bigint) as suspected_bot_mentions_count,
        cast(category_mentions_count as bigint) as category_mentions_count,
        cast(category_effective_mentions as double) as category_effective_mentions,
        cast(share_ratio as double) as share_ratio,
        cast({{ wilson('share_ratio', 'category_effective_mentions', -1) }} as double)
            as share_low_ratio,
        cast({{ wilson('share_ratio', 'category_effective_mentions', 1) }} as double)
            as share_high_ratio,
        is_simulated,
    from counted
)

select
    category,
    product_id,
    week_start_date,
    observed_days_count,
    is_partial_week,
    mentions_count,
    authors_count,
    suspected_bot_mentions_count,
    category_mentions_count,
    category_effective_mentions,
    share_ratio,
    share_low_ratio,
    share_high_ratio,
    is_simulated,
from final
