with stitched as (
    select * from {{ ref('int_search__stitched') }}
),

terms as (
    select * from {{ ref('terms') }}
),

term_products as (
    select distinct
        lower(trim(term)) as term,
        product_id,
    from terms
    where lower(trim(kind)) in ('keyword', 'hashtag', 'cashtag', 'handle')
),

-- Weeks and months are no days, and what lies on another scale is no continuation.
days as (
    select
        term_products.product_id,
        stitched.period_start_date as date_day,
        stitched.series_id,
        stitched.category = '' and stitched.property = '' as is_plain,
        stitched.search_interest,
        stitched.search_interest_se,
        stitched.is_simulated,
    from stitched
    inner join term_products on stitched.term = term_products.term
    where
        stitched.resolution = 'day'
        and stitched.segment = 1
        and {{ is_within_target('stitched.period_start_date') }}
),

-- One series a product: two terms or regions would be two different scales.
ranked as (
    select
        product_id,
        series_id,
        row_number() over (
            partition by product_id
            order by bool_and(is_plain) desc, count(*) desc, series_id asc
        ) as series_rank,
    from days
    group by product_id, series_id
),

final as (
    select
        days.product_id,
        days.date_day,
        days.series_id,
        days.search_interest,
        days.search_interest_se,
        days.is_simulated,
    from days
    inner join ranked
        on
            days.product_id = ranked.product_id
            and days.series_id = ranked.series_id
    where ranked.series_rank = 1
)

select * from final
