-- mart_insights shows the latest look of the ledger, whole, with its verdicts.
with latest as (
    select ledger.*
    from {{ ref('mart_insight_ledger') }} as ledger
    inner join {{ ref('int_insights__look') }} as look
        on ledger.look_date = look.look_date
)

select
    latest.insight_id,
    cards.insight_id as card_id,
    latest.card_verdict,
    cards.verdict,
from latest
full outer join {{ ref('mart_insights') }} as cards
    on latest.insight_id = cards.insight_id
where latest.card_verdict is distinct from cards.verdict
