{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('reddit', 'feed_entries') }}"
    )
}}

{% set shape = {
    'entry': {
        'title': 'VARCHAR',
        'link': 'VARCHAR',
        'author': 'VARCHAR',
        'content': 'VARCHAR',
        'summary': 'VARCHAR',
        'published_at': 'VARCHAR',
        'updated_at': 'VARCHAR',
    },
} %}

with

snapshots as (
    {{ snapshots('reddit', 'feed_entries') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as landed,
    from snapshots
),

worded as (
    select
        *,
        coalesce(landed.entry.content, landed.entry.summary) as html,
        {#- Below the words stand links of the platform's own, after a mark. #}
        contains(coalesce(landed.entry.content, landed.entry.summary), '<!-- SC_ON -->')
            as has_mark,
    from unpacked
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        {#- The feed writes /u/name where the API has name. #}
        {{ filled("regexp_replace(landed.entry.author, '^/u/', '')") }} as author_name,
        {{ filled(words_of_html('landed.entry.title')) }} as title,
        case
            when has_mark or not contains(html, 'submitted by')
                then
                    {{ filled(words_of_html("split_part(html, '<!-- SC_ON -->', 1)")) }}
        end as body,
        case
            when regexp_matches(landed.entry.link, '^https?://') then landed.entry.link
        end as url,
        starts_with(record_id, 't1_') as is_comment,
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
    from worded
)

select * from final
