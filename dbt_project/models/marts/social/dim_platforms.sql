{#- Known platforms by their own names; a data set may bring one that nobody knows. -#}

with

posts as (
    select * from {{ ref('int_posts__unioned') }}
),

reviews as (
    select * from {{ ref('int_reviews__unioned') }}
),

known as (
    select
        platform,
        platform_name,
        kind,
    from (
        values
        ('x', 'X', 'social'),
        ('reddit', 'Reddit', 'forum'),
        ('hackernews', 'Hacker News', 'forum'),
        ('bluesky', 'Bluesky', 'social'),
        ('mastodon', 'Mastodon', 'social'),
        ('producthunt', 'Product Hunt', 'forum'),
        ('rss', 'RSS and Atom feeds', 'news'),
        ('steam', 'Steam', 'reviews'),
        ('storefront', 'Own shop', 'reviews'),
        ('woocommerce', 'WooCommerce shop', 'reviews')
    ) as named (platform, platform_name, kind)
),

seen as (
    select
        platform,
        'social' as kind,
    from posts
    union
    select
        platform,
        'reviews' as kind,
    from reviews
),

{#- A platform of posts and of reviews is one row; posts name it. -#}
seen_once as (
    select
        platform,
        max(kind) as kind,
    from seen
    group by platform
),

final as (
    select
        seen_once.platform,
        coalesce(known.platform_name, seen_once.platform) as platform_name,
        coalesce(known.kind, seen_once.kind) as kind,
    from seen_once
    left join known on seen_once.platform = known.platform
)

select * from final
