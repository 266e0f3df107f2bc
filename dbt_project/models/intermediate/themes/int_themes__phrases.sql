{#-
The lexicon's terms in the form in which sentences are read, and with them what only looks
like one: names of the catalogue, so that "Kassivo Checkout" is no opinion on paying.
-#}

with

theme_terms as (
    select * from {{ ref('theme_terms') }}
),

catalogue_phrases as (
    select * from {{ ref('int_terms__phrases') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

as_written as (
    select
        theme,
        term,
        {{ theme_words('term') }} as words,
        1 as precedence,
    from theme_terms
    union all
    select
        'not_a_theme' as theme,
        phrase as term,
        list_transform(words, lambda word: {{ theme_word('word') }}) as words,
        0 as precedence,
    from catalogue_phrases
    where not is_exclusion
    union all
    select
        'not_a_theme' as theme,
        product_name as term,
        {{ theme_words('product_name') }} as words,
        0 as precedence,
    from products
    union all
    select
        'not_a_theme' as theme,
        brand as term,
        {{ theme_words('brand') }} as words,
        0 as precedence,
    from products
    where brand is not null
),

final as (
    select
        theme,
        term,
        array_to_string(words, ' ') as phrase,
        words[1] as first_word,
        len(words) as word_count,
    from as_written
    where len(words) between 1 and {{ theme_phrase_words() }}
    qualify
        row_number() over (
            partition by array_to_string(words, ' ')
            order by precedence asc, theme asc, term asc
        ) = 1
)

select * from final
