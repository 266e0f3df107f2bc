{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('bluesky', 'posts') }}"
    )
}}

{% set record = {
    'text': 'VARCHAR',
    'createdAt': 'VARCHAR',
    'langs': ['VARCHAR'],
    'tags': ['VARCHAR'],
    'facets': [{'features': [{'tag': 'VARCHAR', 'uri': 'VARCHAR'}]}],
    'reply': {'parent': {'uri': 'VARCHAR'}, 'root': {'uri': 'VARCHAR'}},
    'embed': {
        'record': {'uri': 'VARCHAR', 'record': {'uri': 'VARCHAR'}},
        'external': {'uri': 'VARCHAR'},
    },
} %}

{#- An event of the stream, or a post as search shows it. -#}
{% set shape = {
    'did': 'VARCHAR',
    'time_us': 'BIGINT',
    'commit': {
        'rev': 'VARCHAR',
        'operation': 'VARCHAR',
        'cid': 'VARCHAR',
        'record': record,
    },
    'cid': 'VARCHAR',
    'author': {'did': 'VARCHAR', 'handle': 'VARCHAR'},
    'record': record,
    'indexedAt': 'VARCHAR',
    'likeCount': 'BIGINT',
    'replyCount': 'BIGINT',
    'repostCount': 'BIGINT',
    'quoteCount': 'BIGINT',
} %}

with

snapshots as (
    {{ snapshots('bluesky', 'posts') }}
),

unpacked as (
    select
        *,
        coalesce(json_type(payload, '$.commit') = 'OBJECT', false) as is_event,
        {{ unpack('payload', shape) }} as found,
    from snapshots
),

told as (
    select
        * exclude (payload, found),
        found,
        case when is_event then found.commit.record else found.record end as record,
        case
            when is_event then {{ instant_of_microseconds('found.time_us') }}
            else {{ instant('found.indexedAt') }}
        end as told_at,
    from unpacked
),

with_instants as (
    select
        *,
        {#- A time that our own clock contradicts by more than a day is none. #}
        case
            when told_at <= last_fetched_at + interval 1 day then told_at
            else first_fetched_at
        end as seen_at,
        {{ instant('record.createdAt') }} as claimed_at,
        list_filter(
            list_concat(
                coalesce(record.tags, []),
                coalesce(
                    list_transform(
                        flatten(list_transform(record.facets, lambda f: f.features)),
                        lambda feature: feature.tag
                    ),
                    []
                )
            ),
            lambda tag: tag is not null and trim(tag) != ''
        ) as tags,
        list_distinct(
            list_filter(
                list_append(
                    coalesce(
                        list_transform(
                            flatten(
                                list_transform(record.facets, lambda f: f.features)
                            ),
                            lambda feature: feature.uri
                        ),
                        []
                    ),
                    record.embed.external.uri
                ),
                lambda link: regexp_matches(link, '^https?://')
            )
        ) as links,
    from told
),

{#- Hashtags that the text does not show stand after it. -#}
with_texts as (
    select
        *,
        list_transform(
            list_filter(
                tags,
                lambda tag: not contains(
                    lower(coalesce(record.text, '')), '#' || lower(tag)
                )
            ),
            lambda tag: '#' || tag
        ) as other_tags,
        coalesce(
            claimed_at > seen_at + interval 10 minutes
            or claimed_at < timestamptz '2022-11-01 00:00:00+00'
            or (
                claimed_at < seen_at - interval 1 day
                and coalesce(found.commit.operation, '') != 'update'
            ),
            true
        ) as is_time_doubtful,
    from with_instants
),

final as (
    select
        record_id,
        content_key,
        record_id as post_id,
        case when is_event then 'stream' else 'search' end as road,
        split_part(record_id, '/', 3) as author_id,
        {{ filled('found.author.handle') }} as author_name,
        case when is_event then found.commit.cid else found.cid end as version_id,
        case
            when regexp_matches(found.commit.rev, '^[2-7a-z]{13}$')
                then found.commit.rev
        end as revision,
        {{ filled(
            "concat_ws(e'\\n\\n', nullif(record.text, ''), "
            ~ "nullif(array_to_string(other_tags, ' '), ''))"
        ) }} as text,
        list_distinct(list_transform(tags, lambda tag: lower(trim(tag)))) as hashtags,
        links,
        lower({{ filled('record.langs[1]') }}) as platform_language,
        {{ filled('record.reply.parent.uri') }} as replied_to_post_id,
        {{ filled(
            'coalesce(record.embed.record.uri, record.embed.record.record.uri)'
        ) }} as quoted_post_id,
        'https://bsky.app/profile/' || split_part(record_id, '/', 3)
        || '/post/' || split_part(record_id, '/', 5) as url,
        {{ count_of('found.likeCount') }} as like_count,
        {{ count_of('found.replyCount') }} as reply_count,
        {{ count_of('found.repostCount') }} as repost_count,
        {{ count_of('found.quoteCount') }} as quote_count,
        coalesce(is_event and found.commit.operation = 'update', false) as is_update,
        is_time_doubtful,
        seen_at,
        claimed_at,
        case when is_time_doubtful then seen_at else claimed_at end as posted_at,
        first_fetched_at,
        last_fetched_at,
        is_simulated,
        _source_file,
        _run_id,
        _loaded_at,
        _load_id,
    from with_texts
)

select * from final
