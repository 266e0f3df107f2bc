-- No pair is lost on the way from gate to verdict, and none that was tested to effect.
with counts as (
    select
        (select count(*) from {{ ref('mart_sufficiency') }}) as gates,
        (select count(*) from {{ ref('mart_lead_lag') }}) as verdicts,
        (
            select count(*)
            from {{ ref('mart_lead_lag') }}
            where q_value is not null
        ) as tested,
        (select count(*) from {{ ref('mart_effect') }}) as effects,
)

select *
from counts
where gates != verdicts or tested != effects
