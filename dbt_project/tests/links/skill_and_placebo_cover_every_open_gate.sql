-- Each pair whose gate is open has two horizons, its family an audit; no other has.
with sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

skill as (
    select * from {{ ref('mart_skill') }}
),

audits as (
    select * from {{ ref('mart_placebo_audit') }}
),

open_gates as (
    select
        product_id,
        signal,
        metric,
    from sufficiency
    where gate in ('tested', 'full')
),

horizons as (
    select
        product_id,
        signal,
        metric,
        count(*) as horizon_count,
    from skill
    group by product_id, signal, metric
),

families as (
    select distinct
        signal,
        metric,
    from open_gates
)

select
    coalesce(open_gates.signal, horizons.signal) as signal,
    coalesce(open_gates.metric, horizons.metric) as metric,
from open_gates
full outer join horizons
    on
        open_gates.product_id = horizons.product_id
        and open_gates.signal = horizons.signal
        and open_gates.metric = horizons.metric
where
    open_gates.product_id is null
    or horizons.product_id is null
    or horizons.horizon_count <> 2
union all
select
    coalesce(families.signal, audits.signal) as signal,
    coalesce(families.metric, audits.metric) as metric,
from families
full outer join audits
    on
        families.signal = audits.signal
        and families.metric = audits.metric
where families.signal is null or audits.signal is null
