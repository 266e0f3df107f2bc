{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    effects.product_id,
    cards.verdict as card_verdict,
    effects.lag_days,
    case
        when effects.is_percentage_allowed
            then round(100 * effects.uplift_low_ratio, 1)
    end as low_pct,
    case
        when effects.is_percentage_allowed
            then round(100 * effects.uplift_high_ratio, 1)
    end as high_pct,
    round(100 * effects.minimum_detectable_effect_ratio, 1) as detectable_pct,
    effects.n_days,
    effects.percentage_reason,
from {{ ref('mart_effect') }} as effects
inner join {{ ref('mart_insights') }} as cards
    on
        effects.product_id = cards.product_id
        and effects.signal = cards.signal
        and effects.metric = cards.metric
where cards.is_primary
order by detectable_pct nulls last, effects.product_id
