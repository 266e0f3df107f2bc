{#-
Every post of int_posts__unioned with its language, its flags and, beside each flag, the
rule that raised it. Nothing is dropped: what a mart leaves out it leaves out by a flag.
-#}

with

posts as (
    select * from {{ ref('int_posts__unioned') }}
),

mentions as (
    select * from {{ ref('int_posts__product_mentions') }}
),

mastodon_statuses as (
    select * from {{ ref('stg_mastodon__statuses') }}
),

product_counts as (
    select
        post_key,
        count(distinct product_id) as product_count,
    from mentions
    group by post_key
),

authored as (
    select
        *,
        {#- Of an unknown author nothing is known, not that two posts are theirs. #}
        coalesce(platform || ':' || author_id, post_key) as author_key,
        author_id is not null as has_author,
    from posts
),

{#- Duplicates: the same normalised text, reposts and hidden posts apart. -#}
originals as (
    select
        post_key,
        text_key,
        text,
        author_key,
        posted_at,
    from authored
    where text_key is not null and not is_repost and not is_withheld
),

repeated_texts as (
    select
        text_key,
        count(distinct author_key) as author_count,
        min(text) as text,
    from originals
    group by text_key
    having count(*) > 1
),

telling_texts as (
    select
        text_key,
        author_count,
        len(regexp_extract_all(text, '(?:^|\s)[^\s@#]*[\p{L}\p{N}]\S*')) as word_count,
    from repeated_texts
    where not is_empty_text(text)
),

repetitions as (
    select
        originals.post_key,
        telling_texts.author_count,
        telling_texts.word_count,
        row_number() over (
            partition by originals.text_key, originals.author_key
            order by originals.posted_at asc nulls last, originals.post_key asc
        ) as author_repetition,
        row_number() over (
            partition by originals.text_key
            order by originals.posted_at asc nulls last, originals.post_key asc
        ) as text_repetition,
    from originals
    inner join telling_texts on originals.text_key = telling_texts.text_key
),

duplicates as (
    select
        post_key,
        case
            when author_repetition > 1 then 'same_author_same_text'
            when
                text_repetition > 1
                and author_count >= {{ rule('duplicate_authors_min') }}
                and word_count >= {{ rule('duplicate_words_min') }}
                then 'same_text_many_authors'
        end as duplicate_reason,
    from repetitions
),

{#- Bots: what an author does over all their posts. -#}
author_days as (
    select
        author_key,
        posted_date,
        count(*) as post_count,
    from authored
    where has_author and posted_date is not null
    group by author_key, posted_date
),

busiest_days as (
    select
        author_key,
        max(post_count) as most_posts_a_day,
    from author_days
    group by author_key
),

author_totals as (
    select
        author_key,
        count(*) filter (where not is_repost and text is not null) as own_post_count,
        {#- Unknown days are not one day, which greatest() alone would make them. #}
        case
            when min(author_created_at) is not null and max(posted_at) is not null
                then
                    max(author_posts_count)
                    / greatest(
                        date_diff('day', min(author_created_at), max(posted_at)), 1
                    )
        end as lifetime_posts_per_day,
        date_diff('day', min(author_created_at), min(posted_at)) as account_age_days,
    from authored
    where has_author
    group by author_key
),

{#- Templates: the text without numbers, links, names and tags. -#}
templates as (
    select
        authored.author_key,
        trim(
            regexp_replace(
                lower(authored.text),
                'https?://\S+|[@#$][\p{L}\p{N}_]+|[^\p{L}]+',
                ' ',
                'g'
            )
        ) as template,
        count(*) as post_count,
    from authored
    inner join author_totals on authored.author_key = author_totals.author_key
    where
        not authored.is_repost
        and author_totals.own_post_count >= {{ rule('bot_template_posts_min') }}
    group by authored.author_key, template
    having
        post_count >= {{ rule('bot_template_posts_min') }}
        and length(template) >= 12
),

template_authors as (
    select
        templates.author_key,
        sum(templates.post_count) / min(author_totals.own_post_count) as template_share,
    from templates
    inner join author_totals on templates.author_key = author_totals.author_key
    group by templates.author_key
),

{#- Accounts that call themselves automated. -#}
declared_bots as (
    select distinct 'mastodon:' || author_id as author_key
    from mastodon_statuses
    where is_bot and author_id is not null
),

bots as (
    select
        author_totals.author_key,
        case
            when declared_bots.author_key is not null then 'declared'
            when
                template_authors.template_share
                >= {{ rule('bot_template_share_min') }}
                then 'repeats_itself'
            when busiest_days.most_posts_a_day >= {{ rule('bot_posts_per_day_min') }}
                then 'posts_per_day'
            when
                author_totals.account_age_days
                <= {{ rule('bot_new_account_days_max') }}
                and busiest_days.most_posts_a_day
                >= {{ rule('bot_new_account_posts_per_day_min') }}
                then 'new_account_posts_per_day'
            when
                author_totals.lifetime_posts_per_day
                >= {{ rule('bot_lifetime_posts_per_day_min') }}
                then 'lifetime_posts_per_day'
        end as bot_reason,
    from author_totals
    left join busiest_days on author_totals.author_key = busiest_days.author_key
    left join template_authors on author_totals.author_key = template_authors.author_key
    left join declared_bots on author_totals.author_key = declared_bots.author_key
),

{#- Spam: what one post does. Names that lead a reply are its thread, not a flood. -#}
measured as (
    select
        authored.post_key,
        coalesce(product_counts.product_count, 0) as product_count,
        {{ count_of_character('authored.text', '#') }} as hashtag_count,
        case
            when
                {{ count_of_character('authored.text', '@') }}
                < {{ rule('spam_mentions_min') }}
                then 0
            when authored.is_reply
                then len(
                    regexp_extract_all(
                        regexp_replace(authored.text, '^(?:\s*@\w+)+', ''), '@\w+'
                    )
                )
            else len(regexp_extract_all(authored.text, '@\w+'))
        end as mention_count,
        case
            when
                {{ count_of_character('authored.text', '$') }}
                < {{ rule('spam_cashtags_min') }}
                then 0
            else len(
                list_distinct(
                    regexp_extract_all(upper(authored.text), '[$][A-Z][A-Z0-9._]*')
                )
            )
        end as cashtag_count,
        regexp_matches(authored.text, '(?i)https?://|www[.]|\bt[.]me/') as has_link,
    from authored
    left join product_counts on authored.post_key = product_counts.post_key
),

spam as (
    select
        authored.post_key,
        measured.product_count,
        case
            when measured.has_link and {{ has_giveaway_phrase('authored.text') }}
                then 'link_and_giveaway'
            when measured.hashtag_count >= {{ rule('spam_hashtags_min') }}
                then 'many_hashtags'
            when measured.mention_count >= {{ rule('spam_mentions_min') }}
                then 'many_mentions'
            when measured.cashtag_count >= {{ rule('spam_cashtags_min') }}
                then 'many_cashtags'
            when measured.product_count >= {{ rule('spam_products_min') }}
                then 'many_products'
        end as spam_reason,
    from authored
    inner join measured on authored.post_key = measured.post_key
),

flagged as (
    select
        authored.*,
        coalesce(
            {{ known_language('authored.platform_language') }},
            case when authored.text is not null then detect_language(authored.text) end,
            'und'
        ) as language,
        duplicates.duplicate_reason is not null as is_duplicate,
        duplicates.duplicate_reason,
        spam.spam_reason is not null as is_spam,
        spam.spam_reason,
        bots.bot_reason is not null as is_suspected_bot,
        bots.bot_reason,
        spam.product_count,
    from authored
    inner join spam on authored.post_key = spam.post_key
    left join duplicates on authored.post_key = duplicates.post_key
    left join bots on authored.author_key = bots.author_key
),

weighed as (
    select
        *,
        case
            when is_withheld then 'withheld'
            when is_repost then 'repost'
            when is_duplicate then 'duplicate'
            when is_spam then 'spam'
            when product_count = 0 then 'no_product'
            when posted_at > {{ cutoff_at() }} then 'after_cutoff'
        end as irrelevance_reason,
    from flagged
),

final as (
    select
        * exclude (author_key, has_author, platform_language),
        irrelevance_reason is null as is_relevant,
    from weighed
)

select * from final
