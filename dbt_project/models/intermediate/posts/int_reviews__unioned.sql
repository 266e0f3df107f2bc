{#- A table: text_key is a Python function, and three models read it. -#}

with

storefront_reviews as (
    select * from {{ ref('stg_storefront__reviews') }}
),

dataset_reviews as (
    select * from {{ ref('stg_datasets__reviews') }}
),

woocommerce_reviews as (
    select * from {{ ref('stg_woocommerce__reviews') }}
),

woocommerce_products as (
    select * from {{ ref('stg_woocommerce__products') }}
),

terms as (
    select * from {{ ref('terms') }}
),

{#- A SKU that two products claim goes to the first of them by name. -#}
product_keys as (
    select
        -- `*:SKU` is the SKU in every shop.
        regexp_replace(term, '^[*]:', '') as product_key,
        min(product_id) as product_id,
    from terms
    where kind = 'sku'
    group by regexp_replace(term, '^[*]:', '')
),

woocommerce_current_products as (
    select *
    from woocommerce_products
    qualify
        row_number() over (
            partition by record_id
            order by
                updated_at desc nulls last,
                _load_id desc,
                _line_no desc,
                product_snapshot_key asc
        ) = 1
),

{#-
The SKU by which a review's product is known. Where only its variations have SKUs, one of
theirs, if all that are tracked mean the same product.
-#}
woocommerce_skus as (
    select
        products.platform_product_id,
        coalesce(
            max(products.sku) filter (where products.platform_variant_id is null),
            case
                when count(distinct product_keys.product_id) = 1
                    then min(product_keys.product_key)
            end
        ) as sku,
    from woocommerce_current_products as products
    left join product_keys on products.sku = product_keys.product_key
    group by products.platform_product_id
),

from_woocommerce as (
    select
        'woocommerce' as platform,
        'woocommerce' as source,
        cast(null as varchar) as dataset,
        reviews.review_id,
        coalesce(skus.sku, reviews.product_key) as product_key,
        reviews.author_name as author_id,
        reviews.stars,
        cast(null as boolean) as is_recommended,
        reviews.title,
        reviews.body,
        cast(null as varchar) as platform_language,
        cast(null as bigint) as helpful_count,
        reviews.is_verified_purchase,
        reviews.reviewed_at,
        reviews.is_simulated,
        reviews.first_fetched_at,
        reviews.last_fetched_at,
        reviews.content_key,
    from woocommerce_reviews as reviews
    left join woocommerce_skus as skus
        on reviews.product_key = skus.platform_product_id
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
    select * from from_woocommerce
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

with_text as (
    select
        * exclude (content_key, author_id),
        {{ author_shown('author_id') }} as author_id,
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
