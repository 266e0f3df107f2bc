{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('woocommerce', 'reviews') }}"
    )
}}

{% set shape = {
    '_shop': 'VARCHAR',
    'product_id': 'VARCHAR',
    'reviewer': 'VARCHAR',
    'review': 'VARCHAR',
    'rating': 'DOUBLE',
    'verified': 'BOOLEAN',
    'status': 'VARCHAR',
    'date_created_gmt': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('woocommerce', 'reviews') }}
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
        {{ filled('review._shop') }} as shop_name,
        {{ filled('review._shop') }} || '|' || {{ filled('review.product_id') }}
            as product_key,
        {{ filled('review.reviewer') }} as author_name,
        cast(null as varchar) as title,
        {{ filled(words_of_html('review.review')) }} as body,
        lower({{ filled('review.status') }}) as status,
        case when review.rating between 1 and 5 then review.rating end as stars,
        review.verified as is_verified_purchase,
        {{ instant('review.date_created_gmt') }} as reviewed_at,
        cast(null as timestamptz) as updated_at,
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
