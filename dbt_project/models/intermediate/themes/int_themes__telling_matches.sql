{#- The sentences with a telling word of their product, and how people write it. -#}

with

telling_terms as (
    select * from {{ ref('int_themes__telling_terms') }}
),

records as (
    select * from {{ ref('int_themes__records') }}
),

sentences as (
    select * from {{ ref('int_themes__sentences') }}
),

product_texts as (
    select distinct
        product_id,
        text_key,
    from records
    where product_id in (select telling_terms.product_id from telling_terms)
),

beginnings as (
    select
        product_id,
        term,
        z_score,
        q_value,
        string_split(term, ' ')[1] as first_word,
        string_split(term, ' ')[2] as second_word,
    from telling_terms
),

{#- Words of a pair are neighbours: nothing was left out between them. -#}
placed_words as (
    select
        text_key,
        sentence_number,
        unnest(words) as word_1,
        unnest(words[2:]) as word_2,
    from sentences
),

candidates as (
    select distinct
        text_key,
        sentence_number,
        word_1,
        word_2,
    from placed_words
    where word_1 in (select beginnings.first_word from beginnings)
),

matched as (
    select distinct
        beginnings.product_id,
        beginnings.term,
        beginnings.z_score,
        beginnings.q_value,
        candidates.text_key,
        candidates.sentence_number,
    from candidates
    inner join beginnings
        on
            candidates.word_1 = beginnings.first_word
            and coalesce(candidates.word_2 = beginnings.second_word, true)
    inner join product_texts
        on
            beginnings.product_id = product_texts.product_id
            and candidates.text_key = product_texts.text_key
    where beginnings.second_word is null or candidates.word_2 is not null
),

written as (
    select
        matched.product_id,
        matched.term,
        {#- The plural or the singular: what stands in the sentence. #}
        regexp_replace(
            regexp_extract(
                lower(sentences.sentence), {{ theme_pattern('matched.term') }}
            ),
            '\W+',
            ' ',
            'g'
        ) as written_term,
    from matched
    inner join sentences
        on
            matched.text_key = sentences.text_key
            and matched.sentence_number = sentences.sentence_number
),

{#- The form most often written; by name where that is equal. -#}
written_forms as (
    select
        product_id,
        term,
        coalesce(
            max_by(
                written_term, { 'uses': use_count, 'written': written_term }
            ) filter (where written_term != ''),
            term
        ) as written_term,
    from (
        select
            product_id,
            term,
            written_term,
            count(*) as use_count,
        from written
        group by product_id, term, written_term
    ) as forms
    group by product_id, term
),

final as (
    select
        matched.product_id,
        matched.term,
        written_forms.written_term,
        matched.z_score,
        matched.q_value,
        matched.text_key,
        matched.sentence_number,
    from matched
    inner join written_forms
        on
            matched.product_id = written_forms.product_id
            and matched.term = written_forms.term
)

select * from final
