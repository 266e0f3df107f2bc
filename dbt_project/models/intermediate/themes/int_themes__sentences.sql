{#-
Each distinct text once, in its sentences and clauses: praise and complaint often stand in
one text, and each is about something else. Markup goes before anything is counted.
-#}
{%- set sentences_max = 100 -%}
{%- set words_max = 400 -%}
{%- set long_text = 400 -%}
{%- set sure_confidence = 0.9 -%}

with

records as (
    select * from {{ ref('int_themes__records') }}
),

posts as (
    select * from {{ ref('int_posts__cleaned') }}
),

reviews as (
    select * from {{ ref('int_reviews__unioned') }}
),

wanted as (
    select
        text_key,
        bool_or(record_kind = 'review') as is_review,
        max(sentiment_confidence) as text_confidence,
    from records
    group by text_key
),

written as (
    select
        text_key,
        text,
    from posts
    union all
    select
        text_key,
        text,
    from reviews
),

texts as (
    select
        wanted.text_key,
        wanted.is_review,
        wanted.text_confidence,
        {#- Texts of one key differ in spaces and links at most. #}
        {{ theme_plain('min(written.text)') }} as text,
    from wanted
    inner join written on wanted.text_key = written.text_key
    group by wanted.text_key, wanted.is_review, wanted.text_confidence
),

divided as (
    select
        text_key,
        {#- Of a short post without a turn, and of a text of which the model is nearly
            sure, the text's own label says as much. #}
        text_confidence < {{ sure_confidence }}
        and (
            is_review
            or {{ has_contrast('text') }}
            or length(text) > {{ long_text }}
        ) as is_mixed,
        list_filter(
            list_transform(
                regexp_split_to_array(text, {{ sql_text(theme_boundary()) }}),
                lambda sentence: trim(sentence)
            ),
            lambda sentence: length(sentence) > 2
        )[:{{ sentences_max }}] as sentences,
    from texts
),

placed as (
    select
        text_key,
        is_mixed and len(sentences) > 1 as is_divided,
        generate_subscripts(sentences, 1) as sentence_number,
        unnest(sentences) as sentence,
    from divided
),

final as (
    select
        text_key,
        sentence_number,
        is_divided,
        sentence,
        {{ theme_words('sentence') }}[:{{ words_max }}] as words,
    from placed
)

select * from final
