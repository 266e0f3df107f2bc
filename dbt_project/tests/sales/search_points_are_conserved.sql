-- Every usable point of every answer is in exactly one stitched point.
with points as (
    select count(*) as points_count
    from {{ ref('int_search__points') }}
),

stitched as (
    select coalesce(sum(answers_count), 0) as points_count
    from {{ ref('mart_search_interest') }}
)

select
    points.points_count as point_count,
    stitched.points_count as stitched_count,
from points
cross join stitched
where points.points_count != stitched.points_count
