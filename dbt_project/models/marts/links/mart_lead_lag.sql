with sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

tested as (
    select * from {{ ref('int_links__tested') }}
),

decided as (
    select * from {{ ref('int_links__decided') }}
),

primary_pairs as (
    select * from {{ ref('int_links__primary') }}
),

families as (
    select
        family,
        count(*) as products_tested,
    from decided
    where q_value is not null
    group by family
),

final as (
    select
        sufficiency.product_id,
        sufficiency.signal,
        sufficiency.metric,
        coalesce(decided.verdict, 'insufficient') as verdict,
        sufficiency.gate,
        -- An open gate whose series leave nothing to test says why itself.
        case
            when decided.verdict = 'insufficient' then tested.reason
            else sufficiency.reason
        end as reason,
        decided.family,
        cast(
            case when decided.q_value is not null then families.products_tested end
            as bigint
        ) as products_tested,
        cast(coalesce(tested.n_days, 0) as bigint) as n_days,
        cast(tested.lag_days as integer) as lag_days,
        cast(tested.width_days as integer) as width_days,
        cast(tested.peak_lag_days as integer) as peak_lag_days,
        cast(tested.z_value as double) as z_value,
        cast(tested.p_value as double) as p_value,
        cast(decided.q_value as double) as q_value,
        cast(tested.reverse_lag_days as integer) as reverse_lag_days,
        cast(tested.reverse_width_days as integer) as reverse_width_days,
        cast(tested.reverse_z_value as double) as reverse_z_value,
        cast(tested.reverse_p_value as double) as reverse_p_value,
        cast(decided.reverse_q_value as double) as reverse_q_value,
        tested.is_lag_confirmed,
        tested.is_reverse_lag_confirmed,
        coalesce(decided.is_claim, false) as is_claim,
        primary_pairs.metric is not null as is_primary,
        sufficiency.is_simulated,
    from sufficiency
    left join tested
        on
            sufficiency.product_id = tested.product_id
            and sufficiency.signal = tested.signal
            and sufficiency.metric = tested.metric
    left join decided
        on
            sufficiency.product_id = decided.product_id
            and sufficiency.signal = decided.signal
            and sufficiency.metric = decided.metric
    left join families on decided.family = families.family
    left join primary_pairs
        on
            sufficiency.product_id = primary_pairs.product_id
            and sufficiency.signal = primary_pairs.signal
            and sufficiency.metric = primary_pairs.metric
)

select
    product_id,
    signal,
    metric,
    verdict,
    gate,
    reason,
    family,
    products_tested,
    n_days,
    lag_days,
    width_days,
    peak_lag_days,
    z_value,
    p_value,
    q_value,
    reverse_lag_days,
    reverse_width_days,
    reverse_z_value,
    reverse_p_value,
    reverse_q_value,
    is_lag_confirmed,
    is_reverse_lag_confirmed,
    is_claim,
    is_primary,
    is_simulated,
from final
