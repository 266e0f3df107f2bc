{{
    config(
        unique_key='product_snapshot_key',
        pre_hook="{{ drop_forgotten('woocommerce', 'products') }}"
    )
}}

{% set shape = {
    '_shop': 'VARCHAR',
    'id': 'VARCHAR',
    'parent_id': 'VARCHAR',
    'name': 'VARCHAR',
    'type': 'VARCHAR',
    'status': 'VARCHAR',
    'sku': 'VARCHAR',
    'price': 'VARCHAR',
    'attributes': [{'option': 'VARCHAR'}],
    'date_created_gmt': 'VARCHAR',
    'date_modified_gmt': 'VARCHAR',
} %}

with received as (
    {{ remembered_records('woocommerce', 'products') }}
),

records as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar)))
            as product_snapshot_key,
        {{ unpack('payload', shape) }} as product,
    from received
),

named as (
    select
        *,
        {{ filled('product._shop') }} as shop_name,
        nullif({{ filled('product.parent_id') }}, '0') as parent_number,
        lower({{ filled('product.status') }}) as status,
    from records
),

final as (
    select
        product_snapshot_key,
        record_id,
        shop_name,
        coalesce(shop_name || '|' || parent_number, record_id) as platform_product_id,
        case when parent_number is not null then record_id end as platform_variant_id,
        {{ filled('product.sku') }} as sku,
        {#- A variation does not repeat the title of its product. #}
        case when parent_number is null then {{ filled('product.name') }} end
            as product_title,
        case
            when parent_number is not null
                then coalesce(
                    nullif(
                        array_to_string(
                            list_transform(
                                product.attributes,
                                lambda attribute: attribute.option
                            ),
                            ' / '
                        ),
                        ''
                    ),
                    {{ filled('product.name') }}
                )
        end as variant_title,
        {{ filled('product.type') }} as product_type,
        status,
        cast(null as varchar) as currency,
        {{ money_of('product.price') }} as price,
        coalesce(status = 'trash', false) as is_deleted,
        is_simulated,
        {{ instant('product.date_created_gmt') }} as created_at,
        {{ instant('product.date_modified_gmt') }} as updated_at,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from named
    qualify
        row_number() over (
            partition by product_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
