{#-
How many people use a word, or a pair of words, in praise of a product and how many in
complaint: the material for themes that no lexicon knows. Left out: what the lexicon has,
the product's own names, and words that praise or blame without saying what.
-#}

with

records as (
    select * from {{ ref('int_themes__records') }}
),

sentences as (
    select * from {{ ref('int_themes__sentences') }}
),

labels as (
    select * from {{ ref('int_themes__sentence_labels') }}
),

phrases as (
    select * from {{ ref('int_themes__phrases') }}
),

products as (
    select * from {{ ref('dim_products') }}
),

catalogue_phrases as (
    select * from {{ ref('int_terms__phrases') }}
),

opinions as (
    select
        records.product_id,
        records.author_key,
        labels.text_key,
        labels.sentence_number,
        labels.sentiment_label,
    from records
    inner join labels on records.text_key = labels.text_key
    where labels.sentiment_label in ('positive', 'negative')
),

telling as (
    select distinct
        text_key,
        sentence_number,
    from opinions
),

lexicon_words as (
    select phrase as word
    from phrases
    where word_count = 1
),

sentence_terms as (
    select
        sentences.text_key,
        sentences.sentence_number,
        unnest({{ topic_terms(content_words('sentences.words')) }}) as term,
    from sentences
    inner join telling
        on
            sentences.text_key = telling.text_key
            and sentences.sentence_number = telling.sentence_number
),

{#- Judged once for each term, not for each time it is used. -#}
terms as (
    select
        term,
        string_split(term, ' ') as term_words,
    from (select distinct sentence_terms.term from sentence_terms) as seen
    where
        not regexp_matches(term, {{ sql_text(theme_opinion_pattern()) }})
        and not regexp_matches(term, '[#$@]|(?:^| )\P{L}*(?: |$)')
),

known_words as (
    select term
    from (
        select
            term,
            unnest(term_words) as word,
        from terms
    ) as each
    where word in (select lexicon_words.word from lexicon_words)
    union
    select phrase as term
    from phrases
),

author_terms as (
    select distinct
        opinions.product_id,
        opinions.author_key,
        opinions.sentiment_label,
        sentence_terms.term,
    from sentence_terms
    inner join opinions
        on
            sentence_terms.text_key = opinions.text_key
            and sentence_terms.sentence_number = opinions.sentence_number
    where
        sentence_terms.term in (select terms.term from terms)
        and sentence_terms.term not in (select known_words.term from known_words)
),

counted as (
    select
        product_id,
        term,
        count(*) filter (where sentiment_label = 'positive') as praise_authors_count,
        count(*) filter (where sentiment_label = 'negative') as complaint_authors_count,
    from author_terms
    group by product_id, term
),

own_names as (
    select distinct
        product_id,
        {{ theme_word('word') }} as word,
    from (
        select
            product_id,
            unnest(words) as word,
        from catalogue_phrases
        union all
        select
            product_id,
            unnest({{ words("concat_ws(' ', product_name, brand)") }}) as word,
        from products
    ) as named
),

named_terms as (
    select distinct
        counted.product_id,
        counted.term,
    from (
        select
            product_id,
            term,
            unnest(string_split(term, ' ')) as word,
        from counted
        where
            praise_authors_count + complaint_authors_count >= {{ topic_authors_min() }}
    ) as counted
    inner join own_names
        on counted.product_id = own_names.product_id and counted.word = own_names.word
),

sides as (
    select
        product_id,
        count(distinct author_key) filter (where sentiment_label = 'positive')
            as praise_total_count,
        count(distinct author_key) filter (where sentiment_label = 'negative')
            as complaint_total_count,
    from opinions
    group by product_id
),

category_terms as (
    select
        products.category,
        counted.term,
        sum(counted.praise_authors_count + counted.complaint_authors_count)
            as category_authors_count,
    from counted
    inner join products on counted.product_id = products.product_id
    group by products.category, counted.term
),

category_totals as (
    select
        products.category,
        sum(sides.praise_total_count + sides.complaint_total_count)
            as category_total_count,
    from sides
    inner join products on sides.product_id = products.product_id
    group by products.category
),

final as (
    select
        counted.product_id,
        counted.term,
        counted.praise_authors_count,
        counted.complaint_authors_count,
        sides.praise_total_count,
        sides.complaint_total_count,
        cast(category_terms.category_authors_count as double)
        / cast(category_totals.category_total_count as double) as category_ratio,
    from counted
    inner join sides on counted.product_id = sides.product_id
    inner join products on counted.product_id = products.product_id
    inner join category_terms
        on
            products.category is not distinct from category_terms.category
            and counted.term = category_terms.term
    inner join category_totals
        on products.category is not distinct from category_totals.category
    where
        counted.praise_authors_count + counted.complaint_authors_count
        >= {{ topic_authors_min() }}
        and not exists (
            select 1
            from named_terms
            where
                named_terms.product_id = counted.product_id
                and named_terms.term = counted.term
        )
)

select * from final
