with sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

-- The gate is SQL's: what it closes is not tested.
final as (
    select
        product_id,
        signal,
        metric,
    from sufficiency
    where gate in ('tested', 'full')
)

select * from final
