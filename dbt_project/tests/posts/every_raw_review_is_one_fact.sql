{#- Conservation: every review fetched and not forgotten is one row of fct_reviews. -#}

with

facts as (
    select review_key from {{ ref('fct_reviews') }}
),

expected as (
    select 'storefront:' || record_id as review_key
    from {{ source('storefront', 'reviews') }}
    where record_id not in ({{ forgotten_records('storefront', 'reviews') }})
    union
    select 'woocommerce:' || record_id as review_key
    from {{ source('woocommerce', 'reviews') }}
    where record_id not in ({{ forgotten_records('woocommerce', 'reviews') }})
    union
    select
        {{ platform_name(
            "payload ->> '$.platform'", "coalesce(payload ->> '$.dataset', 'unnamed')"
        ) }}
        || ':'
        || coalesce({{ filled("payload ->> '$.review_id'") }}, record_id) as review_key
    from {{ source('datasets', 'reviews') }}
    where record_id not in ({{ forgotten_records('datasets', 'reviews') }})
)

(
    select * from expected
    except all
    select * from facts
)
union all
(
    select * from facts
    except all
    select * from expected
)
