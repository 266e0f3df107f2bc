{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('datasets', 'reviews') }}"
    )
}}

{% set shape = {
    'dataset': 'VARCHAR',
    'review_id': 'VARCHAR',
    'platform': 'VARCHAR',
    'product_key': 'VARCHAR',
    'rating': 'DOUBLE',
    'rating_scale': 'DOUBLE',
    'is_recommended': 'BOOLEAN',
    'title': 'VARCHAR',
    'body': 'VARCHAR',
    'author_id': 'VARCHAR',
    'created_at': 'VARCHAR',
    'language': 'VARCHAR',
    'helpful_count': 'BIGINT',
} %}

with

snapshots as (
    {{ snapshots('datasets', 'reviews') }}
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
        coalesce({{ filled('review.dataset') }}, 'unnamed') as dataset,
        coalesce({{ filled('review.review_id') }}, record_id) as review_id,
        {{ platform_name('review.platform', "coalesce(review.dataset, 'unnamed')") }}
            as platform,
        {{ filled('review.product_key') }} as product_key,
        {{ filled('review.author_id') }} as author_id,
        {{ filled('review.title') }} as title,
        {{ filled('review.body') }} as body,
        lower({{ filled('review.language') }}) as platform_language,
        case when isfinite(review.rating) then review.rating end as rating,
        case
            when isfinite(review.rating_scale) and review.rating_scale > 0
                then review.rating_scale
        end as rating_scale,
        {{ count_of('review.helpful_count') }} as helpful_count,
        review.is_recommended as is_recommended,
        {{ instant('review.created_at') }} as reviewed_at,
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
