with unioned_refunds as (
    select * from {{ ref('int_orders__unioned_refunds') }}
),

order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

sold_items as (
    select * from {{ ref('int_products__sold_items') }}
),

exchange_rates as (
    select * from {{ ref('int_orders__exchange_rates') }}
),

reporting as (
    select max(currency) as currency
    from exchange_rates
    where is_reporting_currency
),

naming_sources as (
    select distinct
        source_name,
        coalesce(shop_name, '') as shop_name,
    from order_lines
    where currency is not null and not is_currency_assumed
),

-- What was sold is the most that can go back. A return in a data set may be of an order
-- that the file does not hold.
sold_orders as (
    select
        order_key,
        sum(gross_sales_original - discounts_original) as net_original,
        count(*) as line_count,
        -- Sums of several currencies are no amount.
        count(distinct currency) as currency_count,
        max(currency) as currency,
    from order_lines
    where is_counted and order_key is not null and gross_sales_original is not null
    group by order_key
),

sold_lines as (
    select
        order_key,
        order_line_id,
        sum(quantity) as quantity,
    from order_lines
    where is_counted and order_key is not null
    group by order_key, order_line_id
),

valued as (
    select
        unioned_refunds.*,
        sold_items.product_id,
        coalesce(
            unioned_refunds.line_currency,
            case when naming_sources.source_name is null then reporting.currency end
        ) as currency,
        unioned_refunds.line_currency is null and naming_sources.source_name is null
            as is_currency_assumed,
        exchange_rates.exchange_rate,
        {{ money_digits('reporting.currency') }} as reporting_digits,
        case
            when unioned_refunds.source_exclusion_reason is not null
                then unioned_refunds.source_exclusion_reason
            when unioned_refunds.quantity is null then 'quantity_unreadable'
            when unioned_refunds.refunded_at is null then 'date_unreadable'
            when unioned_refunds.refunded_at > {{ cutoff_at() }} then 'after_cutoff'
            when
                unioned_refunds.line_returns is not null
                and unioned_refunds.line_currency is null
                and naming_sources.source_name is not null
                then 'currency_missing'
            when
                unioned_refunds.line_returns is not null
                and exchange_rates.exchange_rate is null
                and coalesce(unioned_refunds.line_currency, reporting.currency)
                is not null
                then 'currency_without_rate'
        end as exclusion_reason,
    from unioned_refunds
    cross join reporting
    left join sold_items on unioned_refunds.item_key = sold_items.item_key
    left join naming_sources
        on
            unioned_refunds.source_name = naming_sources.source_name
            and coalesce(unioned_refunds.shop_name, '') = naming_sources.shop_name
    left join exchange_rates
        on
            coalesce(unioned_refunds.line_currency, reporting.currency)
            = exchange_rates.currency
),

-- Refunds of an order in the order in which they happened, each with what had gone back
-- by then.
walked as (
    select
        valued.*,
        coalesce(valued.exclusion_reason is null, false) as is_candidate,
        sold_orders.net_original,
        case
            when
                sold_orders.currency_count = 1
                and sold_orders.currency = valued.currency
                then
                    sold_orders.net_original
                    + sold_orders.line_count * {{ money_unit('valued.currency') }}
        end as most_returnable,
        case when valued.refund_kind = 'line' then sold_lines.quantity end
            as most_quantity,
        sum(
            case
                when valued.exclusion_reason is null then valued.line_returns else 0
            end
        ) over (
            partition by valued.order_key
            order by valued.refunded_at asc, valued.refund_line_key asc
            rows between unbounded preceding and current row
        ) as returned_up_to,
        sum(case when valued.exclusion_reason is null then valued.quantity else 0 end)
            over (
                partition by valued.order_key, valued.order_line_id
                order by valued.refunded_at asc, valued.refund_line_key asc
                rows between unbounded preceding and current row
            ) as quantity_up_to,
    from valued
    left join sold_orders on valued.order_key = sold_orders.order_key
    left join sold_lines
        on
            valued.order_key = sold_lines.order_key
            and valued.order_line_id = sold_lines.order_line_id
),

-- What goes beyond the order is kept apart: it is no return of anything that was sold.
limited as (
    select
        *,
        case
            when
                is_candidate
                and returned_up_to > most_returnable
                and line_returns > 0
                then least(line_returns, returned_up_to - net_original)
            else 0
        end as line_excess,
        case
            when is_candidate and quantity_up_to > most_quantity
                then least(quantity, quantity_up_to - most_quantity)
            else 0
        end as quantity_excess,
    from walked
),

final as (
    select
        refund_line_key,
        order_key,
        order_id,
        order_line_id,
        refund_id,
        source_name,
        shop_name,
        refund_kind,
        item_key,
        product_id,
        sku,
        restock_type,
        currency,
        {{ business_date('refunded_at') }} as refunded_date,
        {{ business_date('ordered_at') }} as ordered_date,
        cast(quantity - quantity_excess as decimal(18, 3)) as quantity,
        cast(quantity_excess as decimal(18, 3)) as quantity_beyond_order,
        cast(line_returns as decimal(18, 4)) as returns_original,
        exchange_rate,
        {{ as_reporting_money('line_returns') }}
        - {{ as_reporting_money('line_excess') }} as returns,
        {{ as_reporting_money('line_excess') }} as returns_beyond_order,
        exclusion_reason,
        exclusion_reason is null as is_counted,
        line_excess > 0 or quantity_excess > 0 as is_beyond_order,
        product_id is not null as is_mapped,
        is_currency_assumed,
        is_simulated,
        refunded_at,
        ordered_at,
        _load_id,
    from limited
)

select * from final
