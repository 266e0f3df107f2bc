{#-
Two data sets may hold the same post of a platform, and it counts once. If they give one
id to different words, the ids are not the platform's: the mapping of one of them should
put its name before the id.
-#}

with

dataset_posts as (
    select * from {{ ref('stg_datasets__posts') }}
)

select
    platform,
    post_id,
    count(distinct dataset) as dataset_count,
from dataset_posts
group by platform, post_id
having count(distinct dataset) > 1 and count(distinct md5(text)) > 1
