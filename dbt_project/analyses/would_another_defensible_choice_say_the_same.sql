{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    checks.product_id,
    cards.verdict,
    checks.check_kind,
    checks.check_name,
    checks.is_agreeing,
    checks.p_value,
    checks.lag_days,
    round(checks.stability_ratio, 2) as stability_ratio,
    checks.checks_count,
from {{ ref('mart_link_stability') }} as checks
inner join {{ ref('mart_insights') }} as cards
    on
        checks.product_id = cards.product_id
        and checks.signal = cards.signal
        and checks.metric = cards.metric
where cards.is_primary
order by checks.product_id, checks.is_agreeing nulls last, checks.check_name
