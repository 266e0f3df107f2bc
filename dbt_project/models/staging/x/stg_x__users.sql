{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('x', 'users') }}"
    )
}}

{% set shape = {
    'username': 'VARCHAR',
    'name': 'VARCHAR',
    'description': 'VARCHAR',
    'created_at': 'VARCHAR',
    'verified': 'BOOLEAN',
    'public_metrics': {
        'followers_count': 'BIGINT',
        'following_count': 'BIGINT',
        'post_count': 'BIGINT',
        'tweet_count': 'BIGINT',
        'listed_count': 'BIGINT',
    },
} %}

with

snapshots as (
    {{ snapshots('x', 'users') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as author,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as user_id,
        author.username as username,
        author.name as display_name,
        author.description as description,
        {{ count_of('author.public_metrics.followers_count') }} as followers_count,
        {{ count_of('author.public_metrics.following_count') }} as following_count,
        {{ count_of(
            'coalesce(author.public_metrics.post_count, '
            ~ 'author.public_metrics.tweet_count)'
        ) }} as post_count,
        {{ count_of('author.public_metrics.listed_count') }} as listed_count,
        author.verified as is_verified,
        {{ instant('author.created_at') }} as created_at,
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
