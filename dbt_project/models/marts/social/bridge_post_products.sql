with

mentions as (
    select * from {{ ref('int_posts__product_mentions') }}
),

{#- The term that says most: the most frequent, then the longest, then by name. -#}
final as (
    select
        post_key,
        product_id,
        first(
            matched_term
            order by
                match_count desc,
                length(matched_term) desc,
                matched_term asc,
                term_kind asc
        ) as matched_term,
        first(
            term_kind
            order by
                match_count desc,
                length(matched_term) desc,
                matched_term asc,
                term_kind asc
        ) as term_kind,
        cast(sum(match_count) as bigint) as match_count,
    from mentions
    group by post_key, product_id
)

select * from final
