{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    theme,
    previous_texts_count,
    recent_texts_count,
    round(100 * share_change_low, 1) as low_points,
    round(100 * share_change, 1) as change_points,
    round(100 * share_change_high, 1) as high_points,
    q_value,
    is_change_clear,
from {{ ref('mart_review_themes') }}
where theme_kind = 'lexicon' and share_change_low is not null
order by is_change_clear desc, share_change_low desc, product_id asc, theme asc
