{#-
Which theme a sentence speaks of, by which term. As with product names, a word that begins
a term becomes a phrase of each length that such terms have, and of spans within each other
the longest counts: "customer service" is not service at a table.
-#}
{%- set longest = theme_phrase_words() -%}

with

sentences as (
    select * from {{ ref('int_themes__sentences') }}
),

phrases as (
    select * from {{ ref('int_themes__phrases') }}
),

placed_words as (
    select
        text_key,
        sentence_number,
        generate_subscripts(words, 1) as position,
        unnest(words) as word_1,
        {%- for n in range(2, longest + 1) %}
        unnest(words[{{ n }}:]) as word_{{ n }},
        {%- endfor %}
    from sentences
),

beginnings as (
    select distinct
        first_word,
        word_count,
    from phrases
),

candidates as (
    select
        placed_words.text_key,
        placed_words.sentence_number,
        placed_words.position as first_position,
        placed_words.position + beginnings.word_count - 1 as last_position,
        case beginnings.word_count
            when 1 then placed_words.word_1
            {%- for n in range(2, longest + 1) %}
            when {{ n }}
                then concat_ws(
                    ' ',
                    {%- for m in range(1, n + 1) %}
                    placed_words.word_{{ m }}{{ ',' if not loop.last }}
                    {%- endfor %}
                )
            {%- endfor %}
        end as phrase,
    from placed_words
    inner join beginnings on placed_words.word_1 = beginnings.first_word
),

spans as (
    select
        candidates.text_key,
        candidates.sentence_number,
        candidates.first_position,
        candidates.last_position,
        phrases.theme,
        phrases.term,
    from candidates
    inner join phrases on candidates.phrase = phrases.phrase
),

with_longer as (
    select
        *,
        max(last_position) over (
            partition by text_key, sentence_number
            order by first_position asc, last_position desc
            groups between unbounded preceding and 1 preceding
        ) as longer_to,
    from spans
),

final as (
    select distinct
        text_key,
        sentence_number,
        theme,
        term,
    from with_longer
    where coalesce(longer_to, 0) < last_position and theme != 'not_a_theme'
)

select * from final
