with stitched as (
    select * from {{ ref('int_search__stitched') }}
),

terms as (
    select * from {{ ref('terms') }}
),

tracked_terms as (
    select distinct lower(trim(term)) as term
    from terms
    where lower(trim(kind)) in ('keyword', 'hashtag', 'cashtag', 'handle')
)

select
    stitched.series_id
    || '|' || stitched.resolution
    || '|' || stitched.segment
    || '|' || stitched.period_start_date as search_point_key,
    stitched.term,
    stitched.geo,
    stitched.category,
    stitched.property,
    stitched.resolution,
    cast(stitched.segment as integer) as segment,
    stitched.period_start_date,
    stitched.period_end_date,
    cast(stitched.search_interest as double) as search_interest,
    cast(stitched.search_interest_se as double) as search_interest_se,
    cast(stitched.measurement_se as double) as measurement_se,
    cast(stitched.scale_relative_se as double) as scale_relative_se,
    stitched.se_basis,
    cast(stitched.shared_scale_interest as double) as shared_scale_interest,
    stitched.scale_group,
    stitched.stitch_method,
    cast(stitched.answers_count as bigint) as answers_count,
    cast(stitched.windows_count as bigint) as windows_count,
    cast(stitched.shared_points_count as bigint) as shared_points_count,
    stitched.apart_reason,
    stitched.is_below_one,
    tracked_terms.term is not null as is_tracked,
    stitched.is_simulated,
from stitched
left join tracked_terms on stitched.term = tracked_terms.term
