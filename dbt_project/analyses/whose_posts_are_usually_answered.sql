{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    platform,
    author_id,
    followers_count,
    posts_count,
    round(typical_engagement_low, 1) as low,
    round(typical_engagement, 1) as typical_engagement,
    round(typical_engagement_high, 1) as high,
    round(own_weight_ratio, 2) as own_weight_ratio,
from {{ ref('mart_author_influence') }}
where typical_engagement_low is not null and not is_suspected_bot
order by typical_engagement_low desc, platform asc, author_id asc
