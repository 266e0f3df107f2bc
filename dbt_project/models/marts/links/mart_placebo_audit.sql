with audits as (
    select * from {{ ref('int_links__placebo') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

families as (
    select
        signal,
        metric,
        bool_or(is_simulated) as is_simulated,
    from sufficiency
    group by signal, metric
),

final as (
    select
        audits.signal,
        audits.metric,
        cast(audits.tests_count as bigint) as tests_count,
        cast(audits.left_out_count as bigint) as left_out_count,
        cast(audits.share_below_05_ratio as double) as share_below_05_ratio,
        cast(audits.low as double) as low,
        cast(audits.high as double) as high,
        audits.is_as_expected,
        families.is_simulated,
    from audits
    inner join families
        on
            audits.signal = families.signal
            and audits.metric = families.metric
)

select
    signal,
    metric,
    tests_count,
    left_out_count,
    share_below_05_ratio,
    low,
    high,
    is_as_expected,
    is_simulated,
from final
