{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    term,
    geo,
    segment,
    cast(date_trunc('week', period_start_date) as date) as week_start_date,
    count(*) as days,
    round(avg(search_interest), 1) as interest,
    round(avg(search_interest_se), 1) as se_at_most,
from {{ ref('mart_search_interest') }}
where resolution = 'day' and property = '' and category = '' and is_tracked
group by all
order by term, geo, segment, week_start_date
