with orders as (
    select * from {{ ref('int_orders__current') }}
),

order_lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
),

refund_lines as (
    select * from {{ ref('stg_shopify__refund_lines') }}
),

data_set_sales as (
    select * from {{ ref('stg_datasets__sales') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

exchange_rates as (
    select * from {{ ref('int_orders__exchange_rates') }}
),

reporting as (
    select max(currency) as currency
    from exchange_rates
    where is_reporting_currency
),

shop_refunds as (
    select
        'shopify|' || refund_lines.refund_line_id as refund_line_key,
        'shopify' as source_name,
        'shopify|' || orders.order_id as order_key,
        orders.order_id,
        refund_lines.order_line_id,
        refund_lines.refund_id,
        coalesce(order_lines.sku, refund_lines.sku) as sku,
        refund_lines.restock_type,
        upper(coalesce(refund_lines.currency, orders.currency)) as line_currency,
        cast(refund_lines.quantity as decimal(18, 3)) as quantity,
        refund_lines.refunded_amount
        - case
            when orders.is_tax_included
                then coalesce(refund_lines.refunded_tax_amount, 0)
            else 0
        end as line_returns,
        case
            when orders.exclusion_reason is not null then orders.exclusion_reason
            when order_lines.is_gift_card then 'gift_card'
        end as source_exclusion_reason,
        orders.is_simulated,
        refund_lines.refunded_at,
        orders.processed_at as ordered_at,
        refund_lines._load_id,
    from refund_lines
    inner join orders
        on refund_lines.order_snapshot_key = orders.order_snapshot_key
    left join order_lines
        on
            refund_lines.order_snapshot_key = order_lines.order_snapshot_key
            and refund_lines.order_line_id = order_lines.order_line_id
),

current_data_set_sales as (
    select *
    from data_set_sales
    qualify
        row_number() over (
            partition by sale_line_id
            order by _load_id desc, _line_no desc, sale_snapshot_key asc
        ) = 1
),

-- A data set does not say which order a return belongs to: its own day stands for the
-- order's.
data_set_returns as (
    select
        'datasets|' || sale_line_id as refund_line_key,
        'datasets/' || dataset as source_name,
        'datasets|' || dataset || '|' || order_id as order_key,
        order_id,
        cast(null as varchar) as order_line_id,
        order_id as refund_id,
        product_key as sku,
        cast(null as varchar) as restock_type,
        currency as line_currency,
        abs(quantity) as quantity,
        abs(coalesce(amount, cast(quantity * unit_price as decimal(18, 4))))
            as line_returns,
        case
            when unit_price <= 0 or amount = 0 then 'price_not_positive'
        end as source_exclusion_reason,
        is_simulated,
        sold_at as refunded_at,
        sold_at as ordered_at,
        _load_id,
    from current_data_set_sales
    where
        coalesce(sale_kind, 'sale') = 'return'
        or (coalesce(sale_kind, 'sale') = 'sale' and coalesce(quantity < 0, false))
),

unioned as (
    select * from shop_refunds
    union all by name
    select * from data_set_returns
),

valued as (
    select
        unioned.*,
        sales_keys.product_id,
        coalesce(unioned.line_currency, reporting.currency) as currency,
        unioned.line_currency is null as is_currency_assumed,
        exchange_rates.exchange_rate,
        case
            when unioned.source_exclusion_reason is not null
                then unioned.source_exclusion_reason
            when unioned.quantity is null then 'quantity_unreadable'
            when unioned.refunded_at is null then 'date_unreadable'
            when unioned.refunded_at > {{ cutoff_at() }} then 'after_cutoff'
            when
                unioned.line_returns is not null
                and exchange_rates.exchange_rate is null
                and coalesce(unioned.line_currency, reporting.currency) is not null
                then 'currency_without_rate'
        end as exclusion_reason,
    from unioned
    cross join reporting
    left join sales_keys on lower(trim(unioned.sku)) = sales_keys.sales_key
    left join exchange_rates
        on coalesce(unioned.line_currency, reporting.currency) = exchange_rates.currency
),

final as (
    select
        refund_line_key,
        order_key,
        order_id,
        order_line_id,
        refund_id,
        source_name,
        product_id,
        sku,
        restock_type,
        currency,
        cast({{ business_date('refunded_at') }} as date) as refunded_date,
        cast({{ business_date('ordered_at') }} as date) as ordered_date,
        quantity,
        cast(line_returns as decimal(18, 4)) as returns_original,
        exchange_rate,
        cast(
            round({{ in_reporting_currency("line_returns") }}, 2)
            as decimal(18, 2)
        ) as returns,
        exclusion_reason,
        exclusion_reason is null as is_counted,
        product_id is not null as is_mapped,
        is_currency_assumed,
        is_simulated,
        refunded_at,
        ordered_at,
        _load_id,
    from valued
)

select * from final
