{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('hackernews', 'hits') }}"
    )
}}

{% set shape = {
    '_tags': ['VARCHAR'],
    'author': 'VARCHAR',
    'story_id': 'VARCHAR',
    'title': 'VARCHAR',
    'story_text': 'VARCHAR',
    'comment_text': 'VARCHAR',
    'url': 'VARCHAR',
    'points': 'BIGINT',
    'num_comments': 'BIGINT',
    'created_at_i': 'BIGINT',
} %}

with

snapshots as (
    {{ snapshots('hackernews', 'hits') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as hit,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        case
            when list_contains(hit._tags, 'comment') then 'comment'
            when list_contains(hit._tags, 'story') then 'story'
        end as kind,
        {{ filled('hit.author') }} as author_id,
        {{ filled('hit.story_id') }} as story_id,
        {{ filled(words_of_html('hit.title')) }} as title,
        {{ filled(words_of_html('coalesce(hit.comment_text, hit.story_text)')) }}
            as body,
        'https://news.ycombinator.com/item?id=' || record_id as url,
        {{ filled('hit.url') }} as link,
        {{ score_of('hit.points') }} as points,
        {{ count_of('hit.num_comments') }} as comment_count,
        {{ instant_of_epoch('hit.created_at_i') }} as posted_at,
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
