{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('rss', 'entries') }}"
    )
}}

{% set shape = {
    'feed': {'name': 'VARCHAR', 'title': 'VARCHAR', 'language': 'VARCHAR'},
    'entry': {
        'title': 'VARCHAR',
        'link': 'VARCHAR',
        'author': 'VARCHAR',
        'summary': 'VARCHAR',
        'content': 'VARCHAR',
        'published_at': 'VARCHAR',
        'updated_at': 'VARCHAR',
    },
} %}

with

snapshots as (
    {{ snapshots('rss', 'entries') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as landed,
    from snapshots
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        landed.feed.name as feed_name,
        {{ filled('landed.feed.title') }} as feed_title,
        {{ filled('landed.entry.author') }} as author_name,
        {{ filled(words_of_html('landed.entry.title')) }} as title,
        {#- A summary is often the beginning of the content. #}
        case
            when
                length(coalesce(landed.entry.content, ''))
                > length(coalesce(landed.entry.summary, ''))
                then {{ filled(words_of_html('landed.entry.content')) }}
            else {{ filled(words_of_html('landed.entry.summary')) }}
        end as body,
        case
            when regexp_matches(landed.entry.link, '^https?://') then landed.entry.link
        end as url,
        lower({{ filled('landed.feed.language') }}) as platform_language,
        coalesce(
            {{ instant('landed.entry.published_at') }},
            {{ instant('landed.entry.updated_at') }}
        ) as posted_at,
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
