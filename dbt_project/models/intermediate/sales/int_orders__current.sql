with orders as (
    {{- of_every_shop('orders', [
        'shop_name', 'order_id', 'order_snapshot_key', 'order_name', 'currency',
        'financial_status', 'cancel_reason', 'total_price', 'total_discounts',
        'total_tax', 'total_shipping', 'total_refunded', 'is_test', 'is_cancelled',
        'is_deleted', 'is_tax_included', 'is_simulated', 'processed_at', 'updated_at',
        '_load_id', '_line_no',
    ], only=[('is_paid', 'woocommerce', 'boolean')]) }}
),

final as (
    select
        {{ key_of_shop('order_id') }} as order_key,
        source_name,
        shop_name,
        order_id,
        order_snapshot_key,
        order_name,
        upper(nullif(trim(currency), '')) as currency,
        financial_status,
        cancel_reason,
        case
            when is_test then 'test_order'
            when is_cancelled then 'cancelled_order'
            when is_deleted then 'deleted_order'
            -- An order on hold waits for a transfer: it was placed all the same.
            when not is_paid and coalesce(financial_status, '') != 'on-hold'
                then 'pending_order'
        end as exclusion_reason,
        total_price,
        total_discounts,
        total_tax,
        total_shipping,
        total_refunded,
        is_test,
        is_cancelled,
        is_tax_included,
        is_simulated,
        processed_at,
        updated_at,
        _load_id,
    from orders
    qualify
        row_number() over (
            partition by source_name, shop_name, order_id
            order by
                updated_at desc nulls last,
                _load_id desc,
                _line_no desc,
                order_snapshot_key asc
        ) = 1
)

select * from final
