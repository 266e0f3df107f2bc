with terms as (
    select * from {{ ref('terms') }}
),

products as (
    select * from {{ ref('products') }}
),

-- A data set may call its products by the catalogue's own ids.
candidates as (
    select
        lower(trim(term)) as sales_key,
        product_id,
        false as is_of_any_shop,
        1 as priority,
    from terms
    where lower(trim(kind)) = 'sku' and not starts_with(trim(term), '*:')
    union all
    -- `*:SKU` says that the SKU is one product, whichever shop sells it.
    select
        lower(trim(substr(trim(term), 3))) as sales_key,
        product_id,
        true as is_of_any_shop,
        1 as priority,
    from terms
    where lower(trim(kind)) = 'sku' and starts_with(trim(term), '*:')
    union all
    select
        lower(trim(product_id)) as sales_key,
        product_id,
        false as is_of_any_shop,
        2 as priority,
    from products
),

final as (
    select
        sales_key,
        product_id,
        is_of_any_shop,
    from candidates
    where sales_key is not null
    qualify
        row_number() over (
            partition by sales_key
            order by priority asc, is_of_any_shop desc, product_id asc
        ) = 1
)

select * from final
