{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('datasets', 'posts') }}"
    )
}}

{% set shape = {
    'dataset': 'VARCHAR',
    'post_id': 'VARCHAR',
    'platform': 'VARCHAR',
    'author_id': 'VARCHAR',
    'author_name': 'VARCHAR',
    'author_followers_count': 'BIGINT',
    'text': 'VARCHAR',
    'created_at': 'VARCHAR',
    'language': 'VARCHAR',
    'like_count': 'BIGINT',
    'reply_count': 'BIGINT',
    'repost_count': 'BIGINT',
    'quote_count': 'BIGINT',
    'view_count': 'BIGINT',
    'is_repost': 'BOOLEAN',
    'reposted_post_id': 'VARCHAR',
    'url': 'VARCHAR',
    'product_key': 'VARCHAR',
} %}

with

snapshots as (
    {{ snapshots('datasets', 'posts') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as post,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        coalesce({{ filled('post.dataset') }}, 'unnamed') as dataset,
        coalesce({{ filled('post.post_id') }}, record_id) as post_id,
        {{ platform_name('post.platform', "coalesce(post.dataset, 'unnamed')") }}
            as platform,
        {{ filled('post.author_id') }} as author_id,
        {{ filled('post.author_name') }} as author_name,
        {{ filled('post.product_key') }} as product_key,
        {{ filled('post.reposted_post_id') }} as reposted_post_id,
        post.text as text,
        lower({{ filled('post.language') }}) as platform_language,
        post.url as url,
        {{ count_of('post.author_followers_count') }} as author_followers_count,
        {{ count_of('post.like_count') }} as like_count,
        {{ count_of('post.reply_count') }} as reply_count,
        {{ count_of('post.repost_count') }} as repost_count,
        {{ count_of('post.quote_count') }} as quote_count,
        {{ count_of('post.view_count') }} as view_count,
        coalesce(post.is_repost, false) as is_repost,
        {{ instant('post.created_at') }} as posted_at,
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
