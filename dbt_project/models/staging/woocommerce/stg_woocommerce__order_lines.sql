{{
    config(
        unique_key='order_snapshot_key',
        pre_hook="{{ drop_forgotten('woocommerce', 'orders') }}"
    )
}}

{% set shape = {
    '_shop': 'VARCHAR',
    'currency': 'VARCHAR',
    'line_items': [{
        'id': 'VARCHAR',
        'name': 'VARCHAR',
        'product_id': 'VARCHAR',
        'variation_id': 'VARCHAR',
        'quantity': 'VARCHAR',
        'subtotal': 'VARCHAR',
        'total': 'VARCHAR',
        'total_tax': 'VARCHAR',
        'sku': 'VARCHAR',
    }],
} %}

with received as (
    {{ remembered_records('woocommerce', 'orders') }}
),

records as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar))) as order_snapshot_key,
        {{ unpack('payload', shape) }} as node,
    from received
),

unpacked as (
    select
        * exclude (node),
        {{ filled('node._shop') }} as shop_name,
        upper({{ filled('node.currency') }}) as currency,
        unnest(node.line_items) as line,
        unnest(range(1, len(node.line_items) + 1)) as line_number,
    from records
),

typed as (
    select
        *,
        {{ quantity_of('line.quantity') }} as quantity,
        {{ money_of('line.subtotal') }} as subtotal,
        {{ money_of('line.total') }} as total,
        nullif({{ filled('line.product_id') }}, '0') as product_number,
        nullif({{ filled('line.variation_id') }}, '0') as variation_number,
    from unpacked
),

final as (
    select
        order_snapshot_key,
        record_id,
        record_id as order_id,
        {#- Ids of lines are unique within a shop. #}
        coalesce(
            shop_name || '|' || {{ filled('line.id') }}, record_id || '#' || line_number
        ) as order_line_id,
        line_number,
        shop_name || '|' || product_number as platform_product_id,
        shop_name || '|' || variation_number as platform_variant_id,
        {{ filled('line.sku') }} as sku,
        line.name as line_name,
        currency,
        quantity,
        cast(null as decimal(18, 3)) as current_quantity,
        try_cast(subtotal / nullif(quantity, 0) as decimal(18, 4))
            as original_unit_price,
        try_cast(total / nullif(quantity, 0) as decimal(18, 4))
            as discounted_unit_price,
        subtotal as gross_amount,
        cast(subtotal - total as decimal(18, 4)) as discount_amount,
        {{ money_of('line.total_tax') }} as tax_amount,
        false as is_gift_card,
        product_number is null as is_custom_line,
        is_simulated,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from typed
    qualify
        row_number() over (
            partition by order_snapshot_key, line_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
