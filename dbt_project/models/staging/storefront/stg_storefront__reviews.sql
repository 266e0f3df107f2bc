{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('storefront', 'reviews') }}"
    )
}}

{% set shape = {
    'sku': 'VARCHAR',
    'rating': 'DOUBLE',
    'title': 'VARCHAR',
    'body': 'VARCHAR',
    'author_name': 'VARCHAR',
    'verified_purchase': 'BOOLEAN',
    'created_at': 'VARCHAR',
    'updated_at': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('storefront', 'reviews') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as review,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as review_id,
        {{ filled('review.sku') }} as product_key,
        {{ filled('review.author_name') }} as author_name,
        {{ filled('review.title') }} as title,
        {{ filled('review.body') }} as body,
        case when review.rating between 1 and 5 then review.rating end as stars,
        review.verified_purchase as is_verified_purchase,
        {{ instant('review.created_at') }} as reviewed_at,
        {{ instant('review.updated_at') }} as updated_at,
        first_fetched_at,
        last_fetched_at,
        is_simulated,
        _source_file,
        _run_id,
        _loaded_at,
        _load_id,
    from unpacked
)

select * from final
