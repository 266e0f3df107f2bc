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
        1 as priority,
    from terms
    where lower(trim(kind)) = 'sku'
    union all
    select
        lower(trim(product_id)) as sales_key,
        product_id,
        2 as priority,
    from products
),

final as (
    select
        sales_key,
        product_id,
    from candidates
    where sales_key is not null
    qualify
        row_number() over (partition by sales_key order by priority, product_id) = 1
)

select * from final
