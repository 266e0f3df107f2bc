-- A claim without its checks could not say how much hangs on the choices made.
select
    lead_lag.product_id,
    lead_lag.signal,
    lead_lag.metric,
from {{ ref('mart_lead_lag') }} as lead_lag
left join {{ ref('mart_link_stability') }} as stability
    on
        lead_lag.product_id = stability.product_id
        and lead_lag.signal = stability.signal
        and lead_lag.metric = stability.metric
where lead_lag.is_claim and stability.product_id is null
