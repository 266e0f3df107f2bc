{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    count(*) filter (where not is_observed_social) as days_without_posts,
    count(*) filter (where is_open and not is_observed_sales) as days_without_sales,
    count(*) filter (where is_partial_day) as partial_days,
    count(*) as days,
from {{ ref('fct_daily_signals') }}
group by product_id
order by product_id
