{#-
Which record speaks of which theme and how. A record may praise and blame the same thing
in two sentences: that is mixed, and counts as neither.
-#}

with

records as (
    select * from {{ ref('int_themes__records') }}
),

labels as (
    select * from {{ ref('int_themes__sentence_labels') }}
),

matches as (
    select * from {{ ref('int_themes__matches') }}
),

telling_matches as (
    select * from {{ ref('int_themes__telling_matches') }}
),

found as (
    select * from {{ ref('int_themes__found') }}
),

sentence_themes as (
    select
        records.record_kind,
        records.record_key,
        records.product_id,
        'lexicon' as theme_kind,
        matches.theme,
        matches.term,
        matches.text_key,
        matches.sentence_number,
    from records
    inner join matches on records.text_key = matches.text_key
    union all
    select
        records.record_kind,
        records.record_key,
        records.product_id,
        'found' as theme_kind,
        found.theme,
        telling_matches.written_term as term,
        telling_matches.text_key,
        telling_matches.sentence_number,
    from records
    inner join telling_matches
        on
            records.text_key = telling_matches.text_key
            and records.product_id = telling_matches.product_id
    inner join found
        on
            telling_matches.product_id = found.product_id
            and telling_matches.term = found.term
),

mentions as (
    select
        sentence_themes.record_kind,
        sentence_themes.record_key,
        sentence_themes.product_id,
        sentence_themes.theme_kind,
        sentence_themes.theme,
        list_sort(list(distinct sentence_themes.term)) as terms,
        bool_or(labels.sentiment_label = 'positive') as has_praise,
        bool_or(labels.sentiment_label = 'negative') as has_complaint,
        max(labels.sentiment_confidence) filter (
            where labels.sentiment_label = 'positive'
        ) as praise_confidence,
        max(labels.sentiment_confidence) filter (
            where labels.sentiment_label = 'negative'
        ) as complaint_confidence,
    from sentence_themes
    inner join labels
        on
            sentence_themes.text_key = labels.text_key
            and sentence_themes.sentence_number = labels.sentence_number
    group by
        sentence_themes.record_kind,
        sentence_themes.record_key,
        sentence_themes.product_id,
        sentence_themes.theme_kind,
        sentence_themes.theme
),

final as (
    select
        mentions.record_kind,
        mentions.record_key,
        mentions.product_id,
        mentions.theme_kind,
        mentions.theme,
        mentions.terms,
        case
            when mentions.has_praise and mentions.has_complaint then 'mixed'
            when mentions.has_praise then 'praise'
            when mentions.has_complaint then 'complaint'
            else 'neutral'
        end as opinion,
        mentions.praise_confidence,
        mentions.complaint_confidence,
        records.author_key,
        records.date_day,
        records.is_simulated,
    from mentions
    inner join records
        on
            mentions.record_kind = records.record_kind
            and mentions.record_key = records.record_key
            and mentions.product_id = records.product_id
)

select * from final
