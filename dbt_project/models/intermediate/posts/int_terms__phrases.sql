{#- A term's written forms, each as words: what a text must hold to match it. -#}

with

terms as (
    select * from {{ ref('terms') }}
),

signed as (
    select
        product_id,
        term,
        kind,
        case kind
            when 'hashtag' then '#' || ltrim(term, '#＃ ')
            when 'cashtag' then '$' || ltrim(term, '$＄ ')
            when 'handle' then '@' || ltrim(term, '@＠ ')
            else term
        end as signed_term,
    from terms
    -- The others name a thing at one platform, not a word of a text.
    where kind in ('keyword', 'hashtag', 'cashtag', 'handle', 'exclusion')
),

as_words as (
    select
        product_id,
        term,
        kind,
        {{ words('signed_term') }} as words,
    from signed
),

as_written as (
    select
        product_id,
        term,
        kind,
        words,
    from as_words
    where len(words) > 0
),

{#- "quillo code" is also #quillo code and #quillocode. -#}
hashtags as (
    select
        product_id,
        term,
        kind,
        list_prepend('#' || words[1], words[2:]) as words,
    from as_written
    where kind in ('keyword', 'exclusion') and not regexp_matches(words[1], '^[#$@]')
    union all
    select
        product_id,
        term,
        kind,
        ['#' || ltrim(array_to_string(words, ''), '#')] as words,
    from as_written
    where
        (kind in ('keyword', 'exclusion') and not regexp_matches(words[1], '^[$@]'))
        or kind = 'hashtag'
),

written_forms as (
    select * from as_written
    union
    select * from hashtags
),

final as (
    select
        product_id,
        term,
        kind,
        array_to_string(words, ' ') as phrase,
        words,
        words[1] as first_word,
        len(words) as word_count,
        kind = 'exclusion' as is_exclusion,
    from written_forms
)

select * from final
