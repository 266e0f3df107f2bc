with order_lines as (
    select * from {{ ref('int_orders__lines') }}
),

refund_lines as (
    select * from {{ ref('int_orders__refund_lines') }}
),

sold_items as (
    select * from {{ ref('int_products__sold_items') }}
),

sold as (
    select
        item_key,
        count(*) as line_count,
        sum(quantity) as gross_units,
        sum(gross_sales) as gross_sales,
        sum(discounts) as discounts,
        min(sold_date) as first_date,
        max(sold_date) as last_date,
        bool_or(is_simulated) as is_simulated,
    from order_lines
    where is_counted
    group by item_key
),

returned as (
    select
        item_key,
        count(*) as line_count,
        sum(quantity) as returned_units,
        sum(returns) as returns,
        min(refunded_date) as first_date,
        max(refunded_date) as last_date,
        bool_or(is_simulated) as is_simulated,
    from refund_lines
    where is_counted
    group by item_key
),

combined as (
    select
        coalesce(sold.item_key, returned.item_key) as item_key,
        coalesce(sold.line_count, 0) as line_count,
        coalesce(returned.line_count, 0) as refund_line_count,
        coalesce(sold.gross_units, 0) - coalesce(returned.returned_units, 0) as units,
        coalesce(sold.gross_sales, 0) as gross_sales,
        coalesce(sold.gross_sales, 0)
        - coalesce(sold.discounts, 0)
        - coalesce(returned.returns, 0) as net_sales,
        least(sold.first_date, returned.first_date) as first_date,
        greatest(sold.last_date, returned.last_date) as last_date,
        coalesce(sold.is_simulated, false) or coalesce(returned.is_simulated, false)
            as is_simulated,
    from sold
    full join returned on sold.item_key = returned.item_key
),

shared as (
    select
        combined.*,
        combined.net_sales / nullif(sum(combined.net_sales) over (), 0)
            as net_sales_ratio,
        combined.gross_sales / nullif(sum(combined.gross_sales) over (), 0)
            as gross_sales_ratio,
    from combined
)

select
    sold_items.item_key,
    sold_items.source_name as source,
    sold_items.shop_name,
    sold_items.sku,
    sold_items.item_name,
    sold_items.unmapped_reason,
    -- What to write into terms.csv, with kind sku, once the product is known.
    case sold_items.unmapped_reason
        when 'sku_of_several_shops' then sold_items.shop_name || ':' || sold_items.sku
        when 'not_in_catalogue' then sold_items.sku
        when 'no_sku' then
            case
                when sold_items.variant_number is not null
                    then concat_ws(
                        ':', sold_items.shop_name, 'variant', sold_items.variant_number
                    )
                when sold_items.product_number is not null
                    then concat_ws(
                        ':', sold_items.shop_name, 'product', sold_items.product_number
                    )
            end
    end as suggested_term,
    cast(shared.line_count as bigint) as line_count,
    cast(shared.refund_line_count as bigint) as refund_line_count,
    cast(shared.units as decimal(18, 3)) as units,
    cast(shared.gross_sales as decimal(18, 3)) as gross_sales,
    cast(shared.net_sales as decimal(18, 3)) as net_sales,
    cast(shared.gross_sales_ratio as double) as gross_sales_ratio,
    cast(shared.net_sales_ratio as double) as net_sales_ratio,
    shared.first_date,
    shared.last_date,
    shared.is_simulated,
from shared
inner join sold_items on shared.item_key = sold_items.item_key
where sold_items.product_id is null
