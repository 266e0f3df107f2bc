with sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

outcomes as (
    select * from {{ ref('int_daily__outcomes') }}
),

-- Mood with the first outcome that the product has days for.
final as (
    select
        sufficiency.product_id,
        sufficiency.signal,
        sufficiency.metric,
    from sufficiency
    inner join outcomes on sufficiency.metric = outcomes.metric
    where sufficiency.signal = 'sentiment_mean'
    qualify
        row_number() over (
            partition by sufficiency.product_id
            order by
                case
                    when sufficiency.metric = 'units' and sufficiency.days_observed > 0
                        then 0
                    when
                        outcomes.metric_family in ('sales', 'data_set')
                        and sufficiency.days_observed > 0
                        then 1
                    when sufficiency.metric = 'units' then 3
                    when sufficiency.days_observed > 0 then 2
                    else 4
                end asc,
                -- Amounts sold, traded or played before prices and ratios.
                sufficiency.metric like '%volume%' desc,
                sufficiency.days_observed desc,
                outcomes.metric_order asc,
                sufficiency.metric asc
        ) = 1
)

select * from final
