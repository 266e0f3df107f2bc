-- Fields of the wire keep their own spelling.
-- noqa: disable=references.quoting
{{
    config(
        unique_key='product_snapshot_key',
        pre_hook="{{ drop_forgotten('shopify', 'products') }}"
    )
}}

with received as (
    {{ remembered_records('shopify', 'products') }}
),

records as (
    select
        md5(concat_ws('|', record_id, cast(payload as varchar))) as content_key,
        record_id,
        from_json(
            payload,
            '{
                "title": "VARCHAR",
                "status": "VARCHAR",
                "productType": "VARCHAR",
                "createdAt": "VARCHAR",
                "updatedAt": "VARCHAR",
                "priceRangeV2": {"minVariantPrice": {"currencyCode": "VARCHAR"}},
                "variants": {"nodes": [{
                    "id": "VARCHAR",
                    "sku": "VARCHAR",
                    "title": "VARCHAR",
                    "price": "VARCHAR"
                }]},
                "_shop": "VARCHAR"
            }'
        ) as node,
        fetched_at,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from received
),

-- A product without variants is still a product.
listed as (
    select
        *,
        case
            when len(node.variants.nodes) > 0 then node.variants.nodes else [null]
        end as variants,
    from records
),

unpacked as (
    select
        * exclude (variants),
        unnest(variants) as variant,
        unnest(range(1, len(variants) + 1)) as variant_number,
    from listed
),

final as (
    select
        content_key || '#' || variant_number as product_snapshot_key,
        record_id,
        node._shop as shop_name,
        record_id as platform_product_id,
        variant.id as platform_variant_id,
        {{ filled('variant.sku') }} as sku,
        node.title as product_title,
        -- The only variant of a product has a title that says nothing.
        nullif(variant.title, 'Default Title') as variant_title,
        node."productType" as product_type,
        lower(node.status) as status,
        node."priceRangeV2"."minVariantPrice"."currencyCode" as currency,
        {{ money_of('variant.price') }} as price,
        false as is_deleted,
        is_simulated,
        {{ instant('node."createdAt"') }} as created_at,
        {{ instant('node."updatedAt"') }} as updated_at,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from unpacked
    qualify
        row_number() over (
            partition by content_key, variant_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
