with facts as (
    select * from {{ ref('int_insights__facts') }}
),

cards as (
    select * from {{ ref('int_insights__cards') }}
),

claims as (
    select
        *,
        -- A size is stated of a claim that sales follow, and where the data bear one.
        verdict in ('social_leads', 'feedback')
        and percentage_reason is null
        and uplift_ratio is not null as has_size,
        replace(product_id, '''', '''''') as product_text,
        replace(metric, '''', '''''') as metric_text,
    from facts
),

final as (
    select
        claims.insight_id,
        claims.product_id,
        claims.signal,
        claims.metric,
        claims.verdict,
        cards.headline,
        cards.detail,
        cards.recommendation,
        cards.caveat,
        cast(
            case
                when claims.verdict in ('social_leads', 'feedback', 'watchlist')
                    then claims.lag_days
                when claims.verdict = 'sales_lead' then -claims.reverse_lag_days
            end as integer
        ) as lag_days,
        cast(case when claims.has_size then claims.uplift_ratio end as double)
            as uplift_ratio,
        cast(case when claims.has_size then claims.uplift_low_ratio end as double)
            as uplift_low_ratio,
        cast(case when claims.has_size then claims.uplift_high_ratio end as double)
            as uplift_high_ratio,
        claims.q_value,
        claims.reverse_q_value,
        cast(claims.n_days as bigint) as n_days,
        claims.look_status,
        claims.look_reason,
        claims.first_claimed_date,
        cast(
            json_object(
                'tables',
                'mart_lead_lag, mart_effect, mart_sufficiency, mart_link_stability, '
                || 'mart_skill, mart_insight_ledger',
                'gate', claims.gate,
                'reason', claims.reason,
                'what_is_missing', claims.what_is_missing,
                'days_observed', claims.days_observed,
                'days_open', claims.days_open,
                'days_needed', claims.days_needed,
                'missing_day_ratio', claims.missing_day_ratio,
                'posts_per_day', claims.posts_per_day,
                'units_per_day', claims.units_per_day,
                'verdict_today', claims.verdict_today,
                'n_days', claims.n_days,
                'lag_days', claims.lag_days,
                'width_days', claims.width_days,
                'p_value', claims.p_value,
                'q_value', claims.q_value,
                'reverse_lag_days', claims.reverse_lag_days,
                'reverse_q_value', claims.reverse_q_value,
                'products_tested', claims.products_tested,
                'uplift_ratio', claims.uplift_ratio,
                'uplift_low_ratio', claims.uplift_low_ratio,
                'uplift_high_ratio', claims.uplift_high_ratio,
                'minimum_detectable_effect_ratio',
                claims.minimum_detectable_effect_ratio,
                'reliability_ratio', claims.reliability_ratio,
                'signal_sd', claims.signal_sd,
                'signal_sd_corrected', claims.signal_sd_corrected,
                'percentage_reason', claims.percentage_reason,
                'stability_ratio', claims.stability_ratio,
                'is_predictive', claims.is_predictive,
                'look_date', claims.look_date,
                'look_status', claims.look_status,
                'look_reason', claims.look_reason,
                'first_claimed_date', claims.first_claimed_date,
                'is_primary', claims.is_primary,
                'sql', {{ insight_evidence_sql() }}
            ) as json
        ) as evidence,
        {{ insight_evidence_sql() }} as evidence_sql,
        claims.data_hash,
        claims.model_revision,
        claims.is_primary,
        claims.is_simulated,
    from claims
    inner join cards on claims.insight_id = cards.insight_id
)

select
    insight_id,
    product_id,
    signal,
    metric,
    verdict,
    headline,
    detail,
    recommendation,
    caveat,
    lag_days,
    uplift_ratio,
    uplift_low_ratio,
    uplift_high_ratio,
    q_value,
    reverse_q_value,
    n_days,
    look_status,
    look_reason,
    first_claimed_date,
    evidence,
    evidence_sql,
    data_hash,
    model_revision,
    is_primary,
    is_simulated,
from final
