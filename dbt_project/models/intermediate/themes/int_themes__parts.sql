{#-
The sentences that are scored for themselves: of texts that may say two things, those that
speak of a theme. Texts with one opinion keep the label they have, which costs nothing.
-#}

with

sentences as (
    select * from {{ ref('int_themes__sentences') }}
),

matches as (
    select * from {{ ref('int_themes__matches') }}
),

matched as (
    select distinct
        text_key,
        sentence_number,
    from matches
),

final as (
    select
        matched.text_key as whole_text_key,
        matched.sentence_number,
        text_key(sentences.sentence) as text_key,
        sentences.sentence as text,
    from matched
    inner join sentences
        on
            matched.text_key = sentences.text_key
            and matched.sentence_number = sentences.sentence_number
    where sentences.is_divided
)

select * from final
