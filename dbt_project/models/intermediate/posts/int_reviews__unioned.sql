{#- A table: text_key is a Python function, and three models read it. -#}

with

storefront_reviews as (
    select * from {{ ref('stg_storefront__reviews') }}
),

dataset_reviews as (
    select * from {{ ref('stg_datasets__reviews') }}
),

terms as (
    select * from {{ ref('terms') }}
),

from_storefront as (
    select
        'storefront' as platform,
        'storefront' as source,
        cast(null as varchar) as dataset,
        review_id,
        product_key,
        author_name as author_id,
        stars,
        cast(null as boolean) as is_recommended,
        title,
        body,
        cast(null as varchar) as platform_language,
        cast(null as bigint) as helpful_count,
        is_verified_purchase,
        reviewed_at,
        is_simulated,
        first_fetched_at,
        last_fetched_at,
        content_key,
    from storefront_reviews
),

from_datasets as (
    select
        platform,
        'datasets' as source,
        dataset,
        review_id,
        product_key,
        author_id,
        {#- On a scale of five; a scale nobody named is taken for one of five. #}
        case
            when rating >= 0 and rating <= coalesce(rating_scale, 5)
                then rating * 5.0 / coalesce(rating_scale, 5)
        end as stars,
        is_recommended,
        title,
        body,
        platform_language,
        helpful_count,
        cast(null as boolean) as is_verified_purchase,
        reviewed_at,
        is_simulated,
        first_fetched_at,
        last_fetched_at,
        content_key,
    from dataset_reviews
),

all_versions as (
    select * from from_storefront
    union all
    select * from from_datasets
),

current_versions as (
    select
        * exclude (first_fetched_at, last_fetched_at),
        min(first_fetched_at) over (partition by platform, review_id)
            as first_fetched_at,
        max(last_fetched_at) over (partition by platform, review_id) as last_fetched_at,
    from all_versions
    qualify
        row_number() over (
            partition by platform, review_id
            order by
                source != 'datasets' desc,
                all_versions.last_fetched_at desc,
                content_key asc
        ) = 1
),

{#- A SKU that two products claim goes to the first of them by name. -#}
product_keys as (
    select
        term as product_key,
        min(product_id) as product_id,
    from terms
    where kind = 'sku'
    group by term
),

with_text as (
    select
        * exclude (content_key),
        nullif(concat_ws(e'\n\n', title, body), '') as text,
    from current_versions
),

final as (
    select
        with_text.platform || ':' || with_text.review_id as review_key,
        with_text.*,
        product_keys.product_id,
        text_key(with_text.text) as text_key,
        {{ business_date('with_text.reviewed_at') }} as review_date,
    from with_text
    left join product_keys on with_text.product_key = product_keys.product_key
)

select * from final
