{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    language,
    count(*) as posts_count,
    count(sentiment_score) as scored_count,
    count(*) filter (where sentiment_status = 'low_confidence') as unsure_count,
    round(100 * count(sentiment_score) / count(*), 1) as scored_pct,
from {{ ref('fct_posts') }}
where is_relevant
group by language
order by posts_count desc, language asc
