{#-
Which tracked product a post is about. Set-based and linear in the posts: texts become
words once; a word that begins a term becomes, with those after it, a phrase of each length
that such terms have; phrases meet terms in one hash join.
Spans are compared by windows, never pair by pair: a post of a hundred thousand matches
costs as much as a hundred thousand posts of one.
-#}

{% set longest = longest_term_words() | int %}

with

posts as (
    select * from {{ ref('int_posts__unioned') }}
),

dataset_posts as (
    select * from {{ ref('stg_datasets__posts') }}
),

all_phrases as (
    select * from {{ ref('int_terms__phrases') }}
),

terms as (
    select * from {{ ref('terms') }}
),

{#- Two terms of one written form are one match: the one with a sign gives its name. -#}
phrases as (
    select *
    from all_phrases
    qualify
        row_number() over (
            partition by product_id, phrase, is_exclusion
            order by kind asc, term asc
        ) = 1
),

tokenised as (
    select
        post_key,
        {{ words('text') }} as words,
    from posts
    where text is not null
),

{#- Each word with those that follow it, as many as the longest term has. -#}
placed_words as (
    select
        post_key,
        generate_subscripts(words, 1) as position,
        unnest(words) as word_1,
        {%- for n in range(2, longest + 1) %}
        unnest(words[{{ n }}:]) as word_{{ n }},
        {%- endfor %}
    from tokenised
),

beginnings as (
    select distinct
        first_word,
        word_count,
    from phrases
),

candidates as (
    select
        placed_words.post_key,
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
        candidates.post_key,
        candidates.first_position,
        candidates.last_position,
        phrases.product_id,
        phrases.term,
        phrases.kind,
        phrases.is_exclusion,
    from candidates
    inner join phrases on candidates.phrase = phrases.phrase
),

excluding_products as (
    select distinct product_id
    from phrases
    where is_exclusion
),

{#- An exclusion covers spans that begin no earlier and end no later than itself. -#}
with_exclusions as (
    select
        *,
        max(last_position) filter (where is_exclusion) over (
            partition by post_key, product_id
            order by first_position asc, last_position desc
            range between unbounded preceding and current row
        ) as excluded_to,
    from spans
    where product_id in (select each.product_id from excluding_products as each)
),

allowed as (
    select * exclude (is_exclusion, excluded_to)
    from with_exclusions
    where not is_exclusion and coalesce(excluded_to, 0) < last_position
    union all
    select * exclude (is_exclusion)
    from spans
    where product_id not in (select each.product_id from excluding_products as each)
),

{#- Of spans within each other the longest counts: "quillo code" is not quillo. -#}
with_longer as (
    select
        *,
        max(last_position) over (
            partition by post_key
            order by first_position asc, last_position desc
            groups between unbounded preceding and 1 preceding
        ) as longer_to,
    from allowed
),

matched_in_text as (
    select
        post_key,
        product_id,
        term,
        kind,
        count(distinct first_position) as match_count,
    from with_longer
    where coalesce(longer_to, 0) < last_position
    group by post_key, product_id, term, kind
),

{#- A data set may say itself which product a post was collected for. -#}
matched_by_key as (
    select distinct
        dataset_posts.platform || ':' || dataset_posts.post_id as post_key,
        terms.product_id,
        terms.term,
        terms.kind,
        1 as match_count,
    from dataset_posts
    inner join terms
        on dataset_posts.product_key = terms.term and terms.kind = 'sku'
),

final as (
    select * from matched_in_text
    union all
    select matched_by_key.*
    from matched_by_key
    where matched_by_key.post_key in (select posts.post_key from posts)
)

select
    post_key,
    product_id,
    term as matched_term,
    kind as term_kind,
    cast(match_count as bigint) as match_count,
from final
