with storefront_events as (
    select * from {{ ref('stg_storefront__calendar_events') }}
),

catalogue_events as (
    select * from {{ ref('events') }}
),

releases as (
    select * from {{ ref('stg_github__releases') }}
),

repositories as (
    select * from {{ ref('int_repositories__products') }}
),

launches as (
    select * from {{ ref('int_launches__products') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

current_storefront_events as (
    select *
    from storefront_events
    qualify
        row_number() over (
            partition by event_id
            order by
                fetched_at desc, _load_id desc, _line_no desc, event_snapshot_key asc
        ) = 1
),

from_storefront as (
    select
        'storefront' as source_name,
        current_storefront_events.event_id,
        current_storefront_events.event_kind,
        current_storefront_events.sku,
        sales_keys.product_id,
        current_storefront_events.event_name,
        current_storefront_events.sku is null as is_shop_wide,
        current_storefront_events.sku is null
        or sales_keys.product_id is not null as is_mapped,
        current_storefront_events.is_simulated,
        current_storefront_events.starts_date,
        -- Without an end it is still going on.
        current_storefront_events.ends_date,
    from current_storefront_events
    left join sales_keys
        on lower(current_storefront_events.sku) = sales_keys.sales_key
),

from_catalogue as (
    select
        'catalogue' as source_name,
        'catalogue|' || event_id as event_id,
        case lower(trim(event_kind))
            when 'promo' then 'promotion'
            else lower(trim(event_kind))
        end as event_kind,
        cast(null as varchar) as sku,
        {{ filled('product_id') }} as product_id,
        {{ filled('event_name') }} as event_name,
        {{ filled('product_id') }} is null as is_shop_wide,
        true as is_mapped,
        false as is_simulated,
        try_cast(starts_date as date) as starts_date,
        -- Without an end it is one day: what a user writes down is over or planned.
        case
            when {{ filled('ends_date') }} is null then try_cast(starts_date as date)
            else try_cast(ends_date as date)
        end as ends_date,
    from catalogue_events
),

current_releases as (
    select *
    from releases
    qualify
        row_number() over (
            partition by release_id
            order by
                fetched_at desc, _load_id desc, _line_no desc, release_snapshot_key asc
        ) = 1
),

-- Drafts are seen by nobody, prereleases by testers.
from_releases as (
    select
        'github' as source_name,
        'github|' || current_releases.release_id as event_id,
        'release' as event_kind,
        cast(null as varchar) as sku,
        repositories.product_id,
        concat_ws(
            ' ',
            split_part(repositories.full_name, '/', 2),
            coalesce(current_releases.tag_name, current_releases.release_name)
        ) as event_name,
        false as is_shop_wide,
        repositories.product_id is not null as is_mapped,
        current_releases.is_simulated,
        {{ business_date('current_releases.published_at') }} as starts_date,
        {{ business_date('current_releases.published_at') }} as ends_date,
    from current_releases
    inner join repositories
        on current_releases.repository_id = repositories.repository_id
    where not current_releases.is_draft and not current_releases.is_prerelease
),

from_launches as (
    select
        'producthunt' as source_name,
        'producthunt|' || launch_id as event_id,
        'launch' as event_kind,
        cast(null as varchar) as sku,
        product_id,
        launch_name || ' on Product Hunt' as event_name,
        false as is_shop_wide,
        product_id is not null as is_mapped,
        is_simulated,
        {{ business_date('launched_at') }} as starts_date,
        {{ business_date('launched_at') }} as ends_date,
    from launches
),

unioned as (
    select * from from_storefront
    union all by name
    select * from from_catalogue
    union all by name
    select * from from_releases
    union all by name
    select * from from_launches
),

final as (
    select
        event_id,
        source_name,
        event_kind,
        sku,
        product_id,
        event_name,
        is_shop_wide,
        is_mapped,
        is_simulated,
        starts_date,
        ends_date,
    from unioned
    where
        starts_date is not null
        and coalesce(ends_date >= starts_date, true)
)

select * from final
