with

products as (
    select * from {{ ref('products') }}
),

final as (
    select
        product_id,
        coalesce({{ filled('product_name') }}, product_id) as product_name,
        {{ filled('brand') }} as brand,
        coalesce({{ filled('category') }}, 'uncategorised') as category,
        {{ filled('url') }} as url,
    from products
)

select * from final
