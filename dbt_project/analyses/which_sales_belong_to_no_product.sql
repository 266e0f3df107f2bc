{# From docs/cookbook.md by python -m tests.docs.cookbook: edit that page. #}
select
    source,
    shop_name,
    item_name,
    unmapped_reason,
    suggested_term,
    units,
    net_sales,
    round(100 * net_sales_ratio, 2) as net_sales_pct,
    last_date,
from {{ ref('mart_unmapped_sales') }}
order by abs(net_sales) desc nulls last, item_key asc
