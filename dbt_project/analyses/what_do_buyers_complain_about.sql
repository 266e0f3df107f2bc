{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    theme_kind,
    theme,
    complaint_count,
    praise_count,
    texts_count,
    round(100 * share_low_ratio, 1) as share_low_pct,
    round(100 * share_high_ratio, 1) as share_high_pct,
    round(net_sentiment_low, 2) as net_sentiment_low,
    round(net_sentiment_high, 2) as net_sentiment_high,
    complaint_review_keys[1] as a_review_key,
from {{ ref('mart_review_themes') }}
where product_id = '{{ var("product_id", "medlar") }}'
order by complaint_count desc, theme_kind desc, theme asc
