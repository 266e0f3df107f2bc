with events as (
    select * from {{ ref('int_links__event_uplift') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

outcomes as (
    select
        product_id,
        metric,
        bool_or(is_simulated) as is_simulated,
    from sufficiency
    group by product_id, metric
),

final as (
    select
        events.product_id,
        events.event_kind,
        events.signal,
        events.metric,
        cast(events.window_days as integer) as window_days,
        cast(events.events_count as bigint) as events_count,
        cast(events.window_days_count as bigint) as window_days_count,
        cast(events.other_days_count as bigint) as other_days_count,
        cast(events.uplift_ratio as double) as uplift_ratio,
        cast(events.uplift_low_ratio as double) as uplift_low_ratio,
        cast(events.uplift_high_ratio as double) as uplift_high_ratio,
        cast(events.p_value as double) as p_value,
        cast(events.q_value as double) as q_value,
        events.is_tested,
        nullif(events.reason, '') as reason,
        outcomes.is_simulated,
    from events
    inner join outcomes
        on
            events.product_id = outcomes.product_id
            and events.metric = outcomes.metric
)

select
    product_id,
    event_kind,
    signal,
    metric,
    window_days,
    events_count,
    window_days_count,
    other_days_count,
    uplift_ratio,
    uplift_low_ratio,
    uplift_high_ratio,
    p_value,
    q_value,
    is_tested,
    reason,
    is_simulated,
from final
