with unioned_lines as (
    select * from {{ ref('int_orders__unioned_lines') }}
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

-- A source that names a currency on some lines has forgotten it on the others; one that
-- never does is in the reporting currency.
naming_sources as (
    select distinct
        source_name,
        coalesce(shop_name, '') as shop_name,
    from unioned_lines
    where line_currency is not null
),

valued as (
    select
        unioned_lines.*,
        sold_items.product_id,
        coalesce(
            unioned_lines.line_currency,
            case when naming_sources.source_name is null then reporting.currency end
        ) as currency,
        unioned_lines.line_currency is null and naming_sources.source_name is null
            as is_currency_assumed,
        exchange_rates.exchange_rate,
        {{ money_digits('reporting.currency') }} as reporting_digits,
        case
            when unioned_lines.source_exclusion_reason is not null
                then unioned_lines.source_exclusion_reason
            when unioned_lines.quantity is null then 'quantity_unreadable'
            when unioned_lines.sold_at is null then 'date_unreadable'
            when unioned_lines.sold_at > {{ cutoff_at() }} then 'after_cutoff'
            when
                unioned_lines.line_gross is not null
                and unioned_lines.line_currency is null
                and naming_sources.source_name is not null
                then 'currency_missing'
            when
                unioned_lines.line_gross is not null
                and exchange_rates.exchange_rate is null
                and coalesce(unioned_lines.line_currency, reporting.currency)
                is not null
                then 'currency_without_rate'
        end as exclusion_reason,
    from unioned_lines
    cross join reporting
    left join sold_items on unioned_lines.item_key = sold_items.item_key
    left join naming_sources
        on
            unioned_lines.source_name = naming_sources.source_name
            and coalesce(unioned_lines.shop_name, '') = naming_sources.shop_name
    left join exchange_rates
        on
            coalesce(unioned_lines.line_currency, reporting.currency)
            = exchange_rates.currency
),

final as (
    select
        order_line_key,
        order_key,
        order_id,
        order_line_id,
        source_name,
        shop_name,
        item_key,
        product_id,
        sku,
        line_name,
        currency,
        {{ business_date('sold_at') }} as sold_date,
        ordered_quantity,
        removed_quantity,
        quantity,
        cast(line_gross as decimal(18, 4)) as gross_sales_original,
        cast(line_discounts as decimal(18, 4)) as discounts_original,
        cast(line_taxes as decimal(18, 4)) as taxes_original,
        exchange_rate,
        {{ as_reporting_money('line_gross') }} as gross_sales,
        {{ as_reporting_money('line_discounts') }} as discounts,
        {{ as_reporting_money('line_taxes') }} as taxes,
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
