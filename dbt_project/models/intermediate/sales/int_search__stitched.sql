with points as (
    select * from {{ ref('int_search__points') }}
),

scales as (
    select * from {{ ref('int_search__scales') }}
),

-- What one scale holds of a series; only where several answers meet is anything scaled.
parts as (
    select
        points.series_id,
        points.resolution,
        scales.scale_group,
        min(scales.apart_reason) as apart_reason,
        count(distinct points.answer_id) as part_answers_count,
        count(distinct points.period_start_date) as part_points_count,
        max(points.period_start_date) as last_period_date,
        min(scales.scale_ratio) as only_scale_ratio,
    from points
    inner join scales
        on
            points.answer_id = scales.answer_id
            and points.series_id = scales.series_id
            and points.resolution = scales.resolution
    group by points.series_id, points.resolution, scales.scale_group
),

segments as (
    select
        *,
        row_number() over (
            partition by series_id, resolution
            order by part_points_count desc, last_period_date desc, scale_group asc
        ) as segment,
    from parts
),

scaled as (
    select
        points.*,
        scales.scale_group,
        scales.scale_ratio,
        scales.scale_relative_se,
        scales.noise_ratio,
        scales.rounding_variance,
        scales.stitch_method,
        scales.shared_points_count,
        -- Expected of a value: one low by chance must not be taken for precise.
        sum(points.value) over same_point / sum(scales.scale_ratio) over same_point
            as rough_level,
    from points
    inner join scales
        on
            points.answer_id = scales.answer_id
            and points.series_id = scales.series_id
            and points.resolution = scales.resolution
    window same_point as (
        partition by
            points.series_id,
            points.resolution,
            points.period_start_date,
            scales.scale_group
    )
),

weighted as (
    select
        *,
        -- One over the variance of value / scale: of rounding and of sampling.
        power(scale_ratio, 2)
        / (rounding_variance + coalesce(noise_ratio, 0) * scale_ratio * rough_level)
            as precision_weight,
    from scaled
),

averaged as (
    select
        series_id,
        resolution,
        period_start_date,
        scale_group,
        any_value(term) as term,
        any_value(geo) as geo,
        any_value(category) as category,
        any_value(property) as property,
        any_value(period_end_date) as period_end_date,
        count(*) as answers_count,
        count(distinct window_start_date) as windows_count,
        max(shared_points_count) as shared_points_count,
        sum(precision_weight * value / scale_ratio) / sum(precision_weight) as level,
        1 / sqrt(sum(precision_weight)) as level_se,
        sum(precision_weight * scale_relative_se) / sum(precision_weight)
            as scale_relative_se,
        bool_or(noise_ratio is not null) as is_noise_known,
        case min(
            case stitch_method
                when 'overlap' then 1
                when 'long_window' then 2
                when 'anchor' then 3
                else 4
            end
        )
            when 1 then 'overlap'
            when 2 then 'long_window'
            when 3 then 'anchor'
            else 'none'
        end as stitch_method,
        bool_and(is_below_one) as is_below_one,
        bool_or(is_simulated) as is_simulated,
    from weighted
    group by series_id, resolution, period_start_date, scale_group
),

measured as (
    select
        *,
        max(level) over (
            partition by series_id, resolution, scale_group
        ) as part_maximum,
        max(level) over (partition by scale_group) as group_maximum,
    from averaged
),

final as (
    select
        measured.series_id,
        measured.resolution,
        segments.segment,
        measured.period_start_date,
        measured.term,
        measured.geo,
        measured.category,
        measured.property,
        measured.period_end_date,
        measured.level * measure.factor as search_interest,
        measured.level_se * measure.factor as measurement_se,
        measured.scale_relative_se,
        sqrt(
            power(measured.level_se, 2)
            + power(measured.level * measured.scale_relative_se, 2)
        )
        * measure.factor as search_interest_se,
        case when measured.is_noise_known then 'draws' else 'rounding' end
            as se_basis,
        100 * measured.level / nullif(measured.group_maximum, 0)
            as shared_scale_interest,
        measured.scale_group,
        measured.stitch_method,
        measured.answers_count,
        measured.windows_count,
        measured.shared_points_count,
        case when segments.segment > 1 then segments.apart_reason end as apart_reason,
        measured.is_below_one,
        measured.is_simulated,
    from measured
    inner join segments
        on
            measured.series_id = segments.series_id
            and measured.resolution = segments.resolution
            and measured.scale_group = segments.scale_group
    -- A single answer stays as it came; stitched ones have their maximum at 100.
    cross join lateral (
        select
            case
                when segments.part_answers_count = 1 then segments.only_scale_ratio
                else coalesce(100 / nullif(measured.part_maximum, 0), 1)
            end as factor
    ) as measure
)

select * from final
