-- What mart_sufficiency opens, the method tests with the same gate and the same days,
-- unless a series is nothing but weekdays and season: that shows in the fit alone.
select
    sufficiency.product_id,
    sufficiency.signal,
    sufficiency.metric,
    sufficiency.gate,
    tested.gate as method_gate,
    sufficiency.days_observed,
    tested.n_days,
    tested.reason,
from {{ ref('mart_sufficiency') }} as sufficiency
left join {{ ref('int_links__tested') }} as tested
    on
        sufficiency.product_id = tested.product_id
        and sufficiency.signal = tested.signal
        and sufficiency.metric = tested.metric
where
    (
        sufficiency.gate in ('tested', 'full')
        and coalesce(tested.gate, 'missing') not in (sufficiency.gate, 'blocked')
    )
    or (sufficiency.gate not in ('tested', 'full') and tested.gate is not null)
    or tested.n_days != sufficiency.days_observed
