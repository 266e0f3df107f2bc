with events as (
    select * from {{ ref('stg_storefront__calendar_events') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

current_events as (
    select *
    from events
    qualify
        row_number() over (
            partition by event_id
            order by
                fetched_at desc, _load_id desc, _line_no desc, event_snapshot_key asc
        ) = 1
),

final as (
    select
        current_events.event_id,
        current_events.event_kind,
        current_events.sku,
        sales_keys.product_id,
        current_events.event_name,
        current_events.sku is null as is_shop_wide,
        current_events.sku is null or sales_keys.product_id is not null as is_mapped,
        current_events.is_simulated,
        current_events.starts_date,
        -- Without an end it is still going on.
        current_events.ends_date,
    from current_events
    left join sales_keys on lower(current_events.sku) = sales_keys.sales_key
    where
        current_events.starts_date is not null
        and coalesce(current_events.ends_date >= current_events.starts_date, true)
)

select * from final
