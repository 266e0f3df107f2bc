{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    product_id,
    signal,
    metric,
    days_observed,
    days_needed,
    what_is_missing,
from {{ ref('mart_sufficiency') }}
where gate not in ('tested', 'full')
order by product_id, signal, metric
