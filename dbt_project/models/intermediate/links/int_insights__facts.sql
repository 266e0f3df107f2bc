with ledger as (
    select * from {{ ref('mart_insight_ledger') }}
),

lead_lag as (
    select * from {{ ref('mart_lead_lag') }}
),

effects as (
    select * from {{ ref('mart_effect') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

stability as (
    select distinct
        product_id,
        signal,
        metric,
        stability_ratio,
    from {{ ref('mart_link_stability') }}
),

-- Better forecasts at any horizon; null where none could be tested.
skill as (
    select
        product_id,
        signal,
        metric,
        bool_or(is_predictive) filter (where is_tested) as is_predictive,
    from {{ ref('mart_skill') }}
    group by product_id, signal, metric
),

look as (
    select * from {{ ref('int_insights__look') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

-- The look of this build: its rows alone are on the cards.
current_look as (
    select ledger.*
    from ledger
    inner join look on ledger.look_date = look.look_date
),

facts as (
    select
        current_look.insight_id,
        current_look.product_id,
        current_look.signal,
        current_look.metric,
        coalesce(products.product_name, current_look.product_id) as product_name,
        {{ lag_screen_words('current_look.signal') }} as signal_words,
        {{ lag_screen_words('current_look.metric') }} as metric_words,
        current_look.card_verdict as verdict,
        current_look.verdict_today,
        lead_lag.gate,
        lead_lag.reason,
        sufficiency.what_is_missing,
        sufficiency.days_observed,
        sufficiency.days_open,
        sufficiency.days_needed,
        sufficiency.missing_day_ratio,
        sufficiency.posts_per_day,
        sufficiency.units_per_day,
        lead_lag.lag_days,
        lead_lag.width_days,
        lead_lag.reverse_lag_days,
        lead_lag.z_value > 0 as is_rise,
        effects.uplift_ratio,
        effects.uplift_low_ratio,
        effects.uplift_high_ratio,
        lead_lag.p_value,
        lead_lag.q_value,
        lead_lag.reverse_q_value,
        case when lead_lag.q_value is not null then lead_lag.n_days end as n_days,
        effects.signal_sd,
        effects.signal_sd_corrected,
        effects.reliability_ratio,
        effects.minimum_detectable_effect_ratio,
        effects.percentage_reason,
        lead_lag.products_tested,
        stability.stability_ratio,
        skill.is_predictive,
        current_look.status as look_status,
        current_look.reason as look_reason,
        current_look.look_date,
        current_look.first_claimed_date,
        current_look.is_primary,
        current_look.data_hash,
        current_look.model_revision,
        current_look.is_simulated,
    from current_look
    inner join lead_lag
        on
            current_look.product_id = lead_lag.product_id
            and current_look.signal = lead_lag.signal
            and current_look.metric = lead_lag.metric
    inner join sufficiency
        on
            current_look.product_id = sufficiency.product_id
            and current_look.signal = sufficiency.signal
            and current_look.metric = sufficiency.metric
    left join effects
        on
            current_look.product_id = effects.product_id
            and current_look.signal = effects.signal
            and current_look.metric = effects.metric
    left join stability
        on
            current_look.product_id = stability.product_id
            and current_look.signal = stability.signal
            and current_look.metric = stability.metric
    left join skill
        on
            current_look.product_id = skill.product_id
            and current_look.signal = skill.signal
            and current_look.metric = skill.metric
    left join products on current_look.product_id = products.product_id
),

final as (
    select
        *,
        replace(replace(reason, signal, signal_words), metric, metric_words)
            as reason_words,
        replace(replace(what_is_missing, signal, signal_words), metric, metric_words)
            as missing_words,
    from facts
)

select * from final
