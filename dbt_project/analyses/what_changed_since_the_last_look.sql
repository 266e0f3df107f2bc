{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
with numbered as (
    select
        *,
        dense_rank() over (order by look_date desc) as looks_back,
    from {{ ref('mart_insight_ledger') }}
),

earlier as (
    select * from numbered
    where looks_back = 2
),

latest as (
    select * from numbered
    where looks_back = 1
)

select
    coalesce(latest.product_id, earlier.product_id) as product_id,
    coalesce(latest.signal, earlier.signal) as signal,
    coalesce(latest.metric, earlier.metric) as metric,
    earlier.look_date as earlier_look_date,
    earlier.card_verdict as verdict_before,
    latest.card_verdict as verdict_now,
    latest.status,
    latest.reason,
from latest
full join earlier on latest.insight_id = earlier.insight_id
where latest.card_verdict is distinct from earlier.card_verdict
order by product_id, signal, metric
