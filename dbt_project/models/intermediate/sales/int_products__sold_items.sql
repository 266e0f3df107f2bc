with order_lines as (
    select * from {{ ref('int_orders__unioned_lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__unioned_refunds') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

named as (
    select
        item_key,
        source_name,
        shop_name,
        sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        _load_id,
    from order_lines
    union all
    select
        item_key,
        source_name,
        shop_name,
        sku,
        line_name,
        platform_product_id,
        platform_variant_id,
        _load_id,
    from refund_lines
),

items as (
    select
        item_key,
        source_name,
        min(shop_name) as shop_name,
        min(sku) as sku,
        -- Titles change; any of the newest will do.
        max(line_name) as item_name,
        -- The number at the end of an id such as gid://shopify/Product/7 or shop|7.
        nullif(min(regexp_extract(platform_product_id, '([^/|]+)$', 1)), '')
            as product_number,
        nullif(min(regexp_extract(platform_variant_id, '([^/|]+)$', 1)), '')
            as variant_number,
    from named
    group by item_key, source_name
),

-- Sales whose shop is not named cannot be told from those of another one: they count as
-- that of the SKU's only shop.
shops_of_sku as (
    select
        lower(sku) as sku_key,
        count(distinct shop_name) as shop_count,
    from items
    where sku is not null
    group by lower(sku)
),

-- What may stand in the catalogue for an item, the most exact first.
candidates as (
    select
        item_key,
        unnest([
            lower(shop_name || ':' || sku),
            lower(sku),
            lower(shop_name || ':variant:' || variant_number),
            lower(shop_name || ':product:' || product_number),
            lower('variant:' || variant_number),
            lower('product:' || product_number)
        ]) as candidate_key,
        unnest([1, 2, 3, 4, 5, 6]) as priority,
        unnest([false, true, false, false, false, false]) as is_plain_sku,
    from items
),

matched as (
    select
        candidates.item_key,
        candidates.is_plain_sku,
        sales_keys.sales_key,
        sales_keys.product_id,
        sales_keys.is_of_any_shop,
    from candidates
    inner join sales_keys on candidates.candidate_key = sales_keys.sales_key
    qualify
        row_number() over (
            partition by candidates.item_key order by candidates.priority
        ) = 1
),

judged as (
    select
        items.*,
        matched.sales_key,
        matched.product_id,
        coalesce(
            matched.is_plain_sku
            and not matched.is_of_any_shop
            and items.shop_name is not null
            and shops_of_sku.shop_count > 1,
            false
        ) as is_ambiguous,
    from items
    left join matched on items.item_key = matched.item_key
    left join shops_of_sku on lower(items.sku) = shops_of_sku.sku_key
),

final as (
    select
        item_key,
        source_name,
        shop_name,
        sku,
        item_name,
        product_number,
        variant_number,
        case when not is_ambiguous then product_id end as product_id,
        sales_key,
        case
            when is_ambiguous then 'sku_of_several_shops'
            when product_id is not null then null
            when sku is null and item_name is null and product_number is null
                then 'no_item_named'
            when sku is null then 'no_sku'
            else 'not_in_catalogue'
        end as unmapped_reason,
    from judged
)

select * from final
