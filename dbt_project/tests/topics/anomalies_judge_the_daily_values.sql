-- What is judged is what is published, and every value of a judged series is.
with judged as (
    select distinct product_id
    from {{ ref('mart_anomalies') }}
    where metric = 'posts_count'
)

select
    signals.product_id,
    signals.date_day,
    signals.posts_count,
    anomalies.observed_value,
from {{ ref('fct_daily_signals') }} as signals
inner join judged on signals.product_id = judged.product_id
full outer join (
    select * from {{ ref('mart_anomalies') }}
    where metric = 'posts_count'
) as anomalies
    on
        signals.product_id = anomalies.product_id
        and signals.date_day = anomalies.date_day
where signals.posts_count is distinct from anomalies.observed_value
