{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    platform,
    coalesce(irrelevance_reason, 'counts') as what_becomes_of_it,
    count(*) as posts_count,
    round(100 * count(*) / sum(count(*)) over (partition by platform), 1) as share_pct,
    count(*) filter (where is_suspected_bot) as suspected_bot_posts_count,
from {{ ref('fct_posts') }}
group by platform, irrelevance_reason
order by platform asc, posts_count desc, what_becomes_of_it asc
