{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    platform,
    week_start_date,
    scored_posts_count,
    round(net_sentiment_low, 2) as low,
    round(net_sentiment, 2) as net_sentiment,
    round(net_sentiment_high, 2) as high,
    round(net_sentiment_corrected_low, 2) as corrected_low,
    round(net_sentiment_corrected, 2) as corrected,
    round(net_sentiment_corrected_high, 2) as corrected_high,
    is_change_clear,
from {{ ref('mart_brand_sentiment') }}
where product_id = '{{ var("product_id", "medlar") }}' and not is_partial_week
qualify
    row_number() over (partition by platform order by week_start_date desc) <= 8
order by platform, week_start_date
