{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('mastodon', 'statuses') }}"
    )
}}

{% set account = {
    'display_name': 'VARCHAR',
    'bot': 'BOOLEAN',
    'created_at': 'VARCHAR',
    'followers_count': 'BIGINT',
    'statuses_count': 'BIGINT',
} %}
{% set words = {
    'uri': 'VARCHAR',
    'spoiler_text': 'VARCHAR',
    'content': 'VARCHAR',
    'language': 'VARCHAR',
    'emojis': [{'shortcode': 'VARCHAR'}],
} %}
{% set shape = {
    '_instance': 'VARCHAR',
    '_author': 'VARCHAR',
    'url': 'VARCHAR',
    'created_at': 'VARCHAR',
    'edited_at': 'VARCHAR',
    'in_reply_to_id': 'VARCHAR',
    'favourites_count': 'BIGINT',
    'reblogs_count': 'BIGINT',
    'replies_count': 'BIGINT',
    'quotes_count': 'BIGINT',
    'account': account,
    'reblog': words,
} %}
{%- do shape.update(words) -%}

with

snapshots as (
    {{ snapshots('mastodon', 'statuses') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as status,
        json_type(payload, '$.reblog') = 'OBJECT' as is_boost,
    from snapshots
),

{#- A boost has no words of its own: those of what it passes on are told. -#}
worded as (
    select
        *,
        {{ filled('status._instance') }} as instance,
        case
            when is_boost then {{ filled('status.reblog.spoiler_text') }}
            else {{ filled('status.spoiler_text') }}
        end as content_warning,
        case
            when is_boost then {{ words_of_html('status.reblog.content') }}
            else {{ words_of_html('status.content') }}
        end as words,
        list_filter(
            list_transform(
                case when is_boost then status.reblog.emojis else status.emojis end,
                lambda emoji: emoji.shortcode
            ),
            lambda shortcode: regexp_full_match(shortcode, '[A-Za-z0-9_]+')
        ) as shortcodes,
        case
            when is_boost then {{ filled('status.reblog.language') }}
            else {{ filled('status.language') }}
        end as platform_language,
    from unpacked
),

final as (
    select
        record_id,
        content_key,
        coalesce({{ filled('status.uri') }}, record_id) as post_id,
        instance,
        {{ filled('status._author') }} as author_id,
        {{ filled('status.account.display_name') }} as author_name,
        coalesce(status.account.bot, false) as is_bot,
        {{ count_of('status.account.followers_count') }} as author_followers_count,
        {{ count_of('status.account.statuses_count') }} as author_posts_count,
        {{ instant('status.account.created_at') }} as author_created_at,
        content_warning,
        {#- Pictures of a server's own mean nothing elsewhere. #}
        {{ filled(
            "case when len(shortcodes) > 0 then regexp_replace(words, ':('"
            ~ " || array_to_string(shortcodes, '|') || '):', ' ', 'g') else words end"
        ) }} as body,
        lower(platform_language) as platform_language,
        case
            when regexp_matches(status.url, '^https?://') then status.url
        end as url,
        {{ count_of('status.favourites_count') }} as like_count,
        {{ count_of('status.replies_count') }} as reply_count,
        {{ count_of('status.reblogs_count') }} as repost_count,
        {{ count_of('status.quotes_count') }} as quote_count,
        coalesce(is_boost, false) as is_repost,
        case when is_boost then {{ filled('status.reblog.uri') }} end
            as reposted_post_id,
        {{ filled('status.in_reply_to_id') }} is not null as is_reply,
        {{ filled('status.edited_at') }} is not null as is_edited,
        {#- The server that a status comes from knows all of its counts. #}
        coalesce(
            lower(regexp_extract(status.uri, '^https?://([^/]+)/', 1)) = instance, false
        ) as is_at_home,
        {{ instant('status.created_at') }} as posted_at,
        {{ instant('status.edited_at') }} as edited_at,
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
