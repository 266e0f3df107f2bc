{{
    config(
        unique_key='record_id',
        pre_hook="{{ drop_forgotten('x', 'posts') }}"
    )
}}

{#- X is renaming its fields; records of both generations lie in one landing folder. -#}
{% set counts = {
    'like_count': 'BIGINT',
    'reply_count': 'BIGINT',
    'repost_count': 'BIGINT',
    'retweet_count': 'BIGINT',
    'quote_count': 'BIGINT',
    'bookmark_count': 'BIGINT',
    'impression_count': 'BIGINT',
} %}
{% set reference = [{'type': 'VARCHAR', 'id': 'VARCHAR'}] %}
{% set shape = {
    'text': 'VARCHAR',
    'author_id': 'VARCHAR',
    'created_at': 'VARCHAR',
    'lang': 'VARCHAR',
    'conversation_id': 'VARCHAR',
    'note_post': {'text': 'VARCHAR'},
    'note_tweet': {'text': 'VARCHAR'},
    'edit_history_post_ids': ['VARCHAR'],
    'edit_history_tweet_ids': ['VARCHAR'],
    'referenced_posts': reference,
    'referenced_tweets': reference,
    'public_metrics': counts,
    'withheld': {'scope': 'VARCHAR', 'country_codes': ['VARCHAR'], 'copyright': 'BOOLEAN'},
} %}

with

snapshots as (
    {{ snapshots('x', 'posts') }}
),

unpacked as (
    select
        * exclude (payload),
        {{ unpack('payload', shape) }} as post,
    from snapshots
),

named as (
    select
        * exclude (post),
        post,
        post.public_metrics as counts,
        record_id as post_id,
        coalesce(post.referenced_posts, post.referenced_tweets, []) as post_references,
        list_filter(
            coalesce(post.edit_history_post_ids, post.edit_history_tweet_ids, []),
            lambda id: id is not null
        ) as edit_history,
        coalesce(
            {{ filled('post.note_post.text') }},
            {{ filled('post.note_tweet.text') }},
            post.text
        ) as long_text,
    from unpacked
),

final as (
    select
        record_id,
        content_key,
        post_id,
        {#- Ids grow with time: of the shortest, the smallest is the first version. #}
        list_sort(
            list_transform(
                list_append(edit_history, post_id),
                lambda id: { 'digits': length(id), 'id': id }
            )
        )[1].id as original_post_id,
        {{ filled('post.author_id') }} as author_id,
        {{ filled('post.conversation_id') }} as conversation_id,
        list_filter(
            post_references,
            lambda reference: reference.type in ('reposted', 'retweeted')
        )[1].id as reposted_post_id,
        list_filter(
            post_references, lambda reference: reference.type = 'quoted'
        )[1].id as quoted_post_id,
        list_filter(
            post_references, lambda reference: reference.type = 'replied_to'
        )[1].id as replied_to_post_id,
        long_text as text,
        lower({{ filled('post.lang') }}) as platform_language,
        {{ count_of('counts.like_count') }} as like_count,
        {{ count_of('counts.reply_count') }} as reply_count,
        {{ count_of('coalesce(counts.repost_count, counts.retweet_count)') }}
            as repost_count,
        {{ count_of('counts.quote_count') }} as quote_count,
        {{ count_of('counts.bookmark_count') }} as bookmark_count,
        {{ count_of('counts.impression_count') }} as view_count,
        len(edit_history) > 1 as is_edited,
        post.withheld is not null as is_withheld,
        {#- Default fields carry no created_at; ids since late 2010 hold the time. #}
        coalesce(
            {{ instant('post.created_at') }},
            case
                when try_cast(post_id as bigint) > 29700859247
                    then make_timestamptz(
                        ((try_cast(post_id as bigint) >> 22) + 1288834974657) * 1000
                    )
            end
        ) as posted_at,
        first_fetched_at,
        last_fetched_at,
        is_simulated,
        _source_file,
        _run_id,
        _loaded_at,
        _load_id,
    from named
)

select * from final
