with orders as (
    select * from {{ ref('int_orders__current') }}
),

order_lines as (
    select * from {{ ref('stg_shopify__order_lines') }}
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

shop_lines as (
    select
        'shopify|' || order_lines.order_line_id as order_line_key,
        'shopify' as source_name,
        'shopify|' || orders.order_id as order_key,
        orders.order_id,
        order_lines.order_line_id,
        order_lines.sku,
        upper(coalesce(order_lines.currency, orders.currency)) as line_currency,
        cast(order_lines.quantity as decimal(18, 3)) as quantity,
        -- Prices of a tax-inclusive shop hold the tax: sales are told without it.
        order_lines.original_unit_price * order_lines.quantity
        - case
            when orders.is_tax_included then coalesce(order_lines.tax_amount, 0) else 0
        end as line_gross,
        coalesce(
            order_lines.discount_amount,
            (order_lines.original_unit_price - order_lines.discounted_unit_price)
            * order_lines.quantity,
            0
        ) as line_discounts,
        coalesce(order_lines.tax_amount, 0) as line_taxes,
        case
            when orders.exclusion_reason is not null then orders.exclusion_reason
            when order_lines.is_gift_card then 'gift_card'
        end as source_exclusion_reason,
        orders.is_simulated,
        orders.processed_at as sold_at,
        order_lines._load_id,
    from order_lines
    inner join orders
        on order_lines.order_snapshot_key = orders.order_snapshot_key
),

-- The newest version of each line of a data set.
current_data_set_sales as (
    select *
    from data_set_sales
    qualify
        row_number() over (
            partition by sale_line_id
            order by _load_id desc, _line_no desc, sale_snapshot_key asc
        ) = 1
),

data_set_lines as (
    select
        'datasets|' || sale_line_id as order_line_key,
        'datasets/' || dataset as source_name,
        'datasets|' || dataset || '|' || order_id as order_key,
        order_id,
        sale_line_id as order_line_id,
        product_key as sku,
        currency as line_currency,
        quantity,
        coalesce(amount, cast(quantity * unit_price as decimal(18, 4))) as line_gross,
        cast(0 as decimal(18, 4)) as line_discounts,
        cast(0 as decimal(18, 4)) as line_taxes,
        case
            when coalesce(sale_kind, 'sale') != 'sale' then 'not_a_product_sale'
            when unit_price <= 0 or amount <= 0 then 'price_not_positive'
        end as source_exclusion_reason,
        is_simulated,
        sold_at,
        _load_id,
    from current_data_set_sales
    where
        coalesce(sale_kind, 'sale') != 'return'
        and not (coalesce(sale_kind, 'sale') = 'sale' and coalesce(quantity < 0, false))
),

unioned as (
    select * from shop_lines
    union all by name
    select * from data_set_lines
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
            when unioned.sold_at is null then 'date_unreadable'
            when unioned.sold_at > {{ cutoff_at() }} then 'after_cutoff'
            when
                unioned.line_gross is not null
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
        order_line_key,
        order_key,
        order_id,
        order_line_id,
        source_name,
        product_id,
        sku,
        currency,
        cast({{ business_date('sold_at') }} as date) as sold_date,
        quantity,
        cast(line_gross as decimal(18, 4)) as gross_sales_original,
        cast(line_discounts as decimal(18, 4)) as discounts_original,
        cast(line_taxes as decimal(18, 4)) as taxes_original,
        exchange_rate,
        -- Rounded a line at a time, so that every total is the sum of what is shown.
        cast(
            round({{ in_reporting_currency("line_gross") }}, 2)
            as decimal(18, 2)
        ) as gross_sales,
        cast(
            round({{ in_reporting_currency("line_discounts") }}, 2)
            as decimal(18, 2)
        ) as discounts,
        cast(
            round({{ in_reporting_currency("line_taxes") }}, 2)
            as decimal(18, 2)
        ) as taxes,
        exclusion_reason,
        exclusion_reason is null as is_counted,
        product_id is not null as is_mapped,
        is_currency_assumed,
        is_simulated,
        sold_at,
        _load_id,
    from valued
)

select * from final
