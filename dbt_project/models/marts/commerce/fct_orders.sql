with order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
),

shop_orders as (
    select * from {{ ref('int_orders__current') }}
),

data_set_lines as (
    select * from {{ ref('int_orders__data_set_lines') }}
),

exchange_rates as (
    select * from {{ ref('int_orders__exchange_rates') }}
),

reporting as (
    select max(currency) as currency
    from exchange_rates
    where is_reporting_currency
),

lines_of_order as (
    select
        order_key,
        max(order_id) as order_id,
        max(source_name) as source_name,
        max(shop_name) as shop_name,
        max(currency) as currency,
        min(sold_date) as ordered_date,
        count(*) as line_count,
        count(*) filter (where is_counted) as counted_line_count,
        count(*) filter (where is_counted and not is_mapped) as unmapped_line_count,
        sum(quantity) filter (where is_counted) as units,
        sum(gross_sales) filter (where is_counted) as gross_sales,
        sum(discounts) filter (where is_counted) as discounts,
        sum(taxes) filter (where is_counted) as taxes,
        sum(removed_quantity) > 0 as is_edited,
        min(exclusion_reason) as exclusion_reason,
        bool_or(is_simulated) as is_simulated,
        min(sold_at) as ordered_at,
    from order_lines
    where order_key is not null
    group by order_key
),

refunds_of_order as (
    select
        order_key,
        max(order_id) as order_id,
        max(source_name) as source_name,
        max(shop_name) as shop_name,
        max(currency) as currency,
        min(ordered_date) as ordered_date,
        sum(quantity) filter (where is_counted) as returned_units,
        sum(returns) filter (where is_counted) as returns,
        sum(returns_beyond_order) filter (where is_counted) as returns_beyond_order,
        -- Whatever the reason, what was paid back for shipping is no return of goods.
        sum(returns) filter (
            where refund_kind = 'shipping' and exclusion_reason = 'not_a_product_sale'
        ) as refunded_shipping,
        bool_or(is_simulated) as is_simulated,
        min(ordered_at) as ordered_at,
    from refund_lines
    where order_key is not null
    group by order_key
),

headers as (
    select
        order_key,
        order_name,
        financial_status,
        currency,
        total_shipping as shipping_original,
    from shop_orders
    union all
    select
        order_key,
        cast(null as varchar) as order_name,
        cast(null as varchar) as financial_status,
        max(currency) as currency,
        max(shipping_of_order) as shipping_original,
    from data_set_lines
    where order_key is not null
    group by order_key
),

combined as (
    select
        coalesce(lines.order_key, refunds.order_key) as order_key,
        coalesce(lines.order_id, refunds.order_id) as order_id,
        coalesce(lines.source_name, refunds.source_name) as source_name,
        coalesce(lines.shop_name, refunds.shop_name) as shop_name,
        coalesce(lines.currency, refunds.currency) as currency,
        coalesce(lines.ordered_date, refunds.ordered_date) as ordered_date,
        lines.line_count,
        lines.counted_line_count,
        lines.unmapped_line_count,
        lines.units,
        lines.gross_sales,
        lines.discounts,
        lines.taxes,
        lines.is_edited,
        lines.exclusion_reason,
        refunds.returned_units,
        refunds.returns,
        refunds.returns_beyond_order,
        refunds.refunded_shipping,
        coalesce(lines.is_simulated, false) or coalesce(refunds.is_simulated, false)
            as is_simulated,
        coalesce(lines.ordered_at, refunds.ordered_at) as ordered_at,
    from lines_of_order as lines
    full join refunds_of_order as refunds on lines.order_key = refunds.order_key
),

valued as (
    select
        combined.*,
        headers.order_name,
        headers.financial_status,
        headers.shipping_original,
        exchange_rates.exchange_rate,
        {{ money_digits('reporting.currency') }} as reporting_digits,
    from combined
    cross join reporting
    left join headers on combined.order_key = headers.order_key
    left join exchange_rates
        on coalesce(headers.currency, reporting.currency) = exchange_rates.currency
)

select
    order_key,
    order_id,
    order_name,
    source_name as source,
    shop_name,
    financial_status,
    currency,
    ordered_date,
    cast(coalesce(line_count, 0) as bigint) as line_count,
    cast(coalesce(counted_line_count, 0) as bigint) as counted_line_count,
    cast(coalesce(unmapped_line_count, 0) as bigint) as unmapped_line_count,
    cast(coalesce(units, 0) as decimal(18, 3)) as gross_units,
    cast(coalesce(returned_units, 0) as decimal(18, 3)) as returned_units,
    cast(coalesce(gross_sales, 0) as decimal(18, 3)) as gross_sales,
    cast(coalesce(discounts, 0) as decimal(18, 3)) as discounts,
    cast(coalesce(returns, 0) as decimal(18, 3)) as returns,
    cast(
        coalesce(gross_sales, 0) - coalesce(discounts, 0) - coalesce(returns, 0)
        as decimal(18, 3)
    ) as net_sales,
    cast(coalesce(taxes, 0) as decimal(18, 3)) as taxes,
    case
        when exchange_rate is not null
            then {{ as_reporting_money('shipping_original') }}
    end as shipping,
    cast(coalesce(refunded_shipping, 0) as decimal(18, 3)) as refunded_shipping,
    cast(coalesce(returns_beyond_order, 0) as decimal(18, 3)) as returns_beyond_order,
    -- The reason is that of the order only where no line counts.
    case when coalesce(counted_line_count, 0) = 0 then exclusion_reason end
        as exclusion_reason,
    coalesce(counted_line_count, 0) > 0 as is_counted,
    coalesce(is_edited, false) as is_edited,
    is_simulated,
    ordered_at,
from valued
