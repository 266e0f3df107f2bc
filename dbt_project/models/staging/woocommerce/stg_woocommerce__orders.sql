{{
    config(
        unique_key='order_snapshot_key',
        pre_hook="{{ drop_forgotten('woocommerce', 'orders') }}"
    )
}}

{% set shape = {
    '_shop': 'VARCHAR',
    'number': 'VARCHAR',
    'status': 'VARCHAR',
    'currency': 'VARCHAR',
    'prices_include_tax': 'BOOLEAN',
    'total': 'VARCHAR',
    'total_tax': 'VARCHAR',
    'discount_total': 'VARCHAR',
    'shipping_total': 'VARCHAR',
    'fee_lines': [{'total': 'VARCHAR'}],
    'refunds': [{'total': 'VARCHAR'}],
    'date_created_gmt': 'VARCHAR',
    'date_modified_gmt': 'VARCHAR',
    'date_paid_gmt': 'VARCHAR',
} %}

with received as (
    {{ remembered_records('woocommerce', 'orders') }}
),

records as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar))) as order_snapshot_key,
        {{ unpack('payload', shape) }} as node,
        lower({{ filled("payload ->> '$.status'") }}) as status,
    from received
),

final as (
    select
        order_snapshot_key,
        record_id,
        record_id as order_id,
        {{ filled('node._shop') }} as shop_name,
        {{ filled('node.number') }} as order_name,
        status as financial_status,
        cast(null as varchar) as cancel_reason,
        upper({{ filled('node.currency') }}) as currency,
        {{ money_of('node.total') }} as total_price,
        {{ money_of('node.discount_total') }} as total_discounts,
        {{ money_of('node.total_tax') }} as total_tax,
        {{ money_of('node.shipping_total') }} as total_shipping,
        cast(
            list_sum(
                list_transform(
                    node.fee_lines,
                    lambda fee: {{ money_of('fee.total') }}
                )
            ) as decimal(18, 4)
        ) as total_fees,
        cast(
            list_sum(
                list_transform(
                    node.refunds,
                    lambda refund: abs({{ money_of('refund.total') }})
                )
            ) as decimal(18, 4)
        ) as total_refunded,
        false as is_test,
        coalesce(status = 'cancelled', false) as is_cancelled,
        coalesce(status = 'trash', false) as is_deleted,
        {#- The status of a plugin says nothing: then the instant of payment does. #}
        case
            when status in ('processing', 'completed', 'refunded') then true
            when status in ('pending', 'failed', 'cancelled', 'checkout-draft')
                then false
            else try_cast(node.date_paid_gmt as timestamptz) is not null
        end as is_paid,
        {#- Amounts of lines are always without tax, whatever the shop's prices are. #}
        false as is_tax_included,
        coalesce(node.prices_include_tax, false) as has_prices_with_tax,
        is_simulated,
        {{ instant('node.date_created_gmt') }} as created_at,
        {{ instant('node.date_created_gmt') }} as processed_at,
        {{ instant('node.date_modified_gmt') }} as updated_at,
        {{ instant('node.date_paid_gmt') }} as paid_at,
        cast(null as timestamptz) as cancelled_at,
        fetched_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from records
    qualify
        row_number() over (
            partition by order_snapshot_key order by load_id desc, line_no desc
        ) = 1
)

select * from final
