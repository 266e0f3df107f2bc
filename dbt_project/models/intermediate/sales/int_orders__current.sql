with orders as (
    select * from {{ ref('stg_shopify__orders') }}
),

final as (
    select
        order_id,
        order_snapshot_key,
        currency,
        cancel_reason,
        case
            when is_test then 'test_order'
            when is_cancelled then 'cancelled_order'
        end as exclusion_reason,
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
            partition by order_id
            order by
                updated_at desc nulls last,
                _load_id desc,
                _line_no desc,
                order_snapshot_key asc
        ) = 1
)

select * from final
