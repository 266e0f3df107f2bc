-- A product without any data is the one whose gate must not be missing.
with expected as (
    select
        products.product_id,
        (select count(*) from {{ ref('int_daily__outcomes') }})
        * {{ lag_screen_signals() | length }} as pair_count,
    from {{ ref('dim_products') }} as products
),

gates as (
    select
        product_id,
        count(*) as pair_count,
    from {{ ref('mart_sufficiency') }}
    group by product_id
),

curves as (
    select
        product_id,
        count(*) as row_count,
    from {{ ref('mart_lag_correlation') }}
    group by product_id
),

cards as (
    select
        product_id,
        count(*) filter (where is_primary) as primary_count,
    from {{ ref('mart_insights') }}
    group by product_id
)

select
    expected.product_id,
    expected.pair_count,
    gates.pair_count as gate_count,
    curves.row_count as curve_rows,
    cards.primary_count,
from expected
left join gates on expected.product_id = gates.product_id
left join curves on expected.product_id = curves.product_id
left join cards on expected.product_id = cards.product_id
where
    expected.pair_count is distinct from gates.pair_count
    or expected.pair_count * 29 is distinct from curves.row_count
    or cards.primary_count is distinct from 1
