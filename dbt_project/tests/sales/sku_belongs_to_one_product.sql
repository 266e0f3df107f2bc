-- A SKU in two products would count its sales for one of them by chance.
select
    regexp_replace(lower(trim(term)), '^[*]:', '') as sku,
    count(distinct product_id) as product_count,
from {{ ref('terms') }}
where lower(trim(kind)) = 'sku'
group by regexp_replace(lower(trim(term)), '^[*]:', '')
having count(distinct product_id) > 1
