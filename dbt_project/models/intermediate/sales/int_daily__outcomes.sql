with other_metrics as (
    select * from {{ ref('int_metrics__daily') }}
),

core as (
    {%- for outcome in lag_screen_outcomes() %}
    select
        '{{ outcome.metric }}' as metric,
        '{{ outcome.kind }}' as metric_kind,
        '{{ outcome.family }}' as metric_family,
        '{{ outcome.unit }}' as unit,
        {{ loop.index }} as metric_order,
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

of_data_sets as (
    select
        other_metrics.metric,
        'other' as metric_kind,
        'data_set' as metric_family,
        max(other_metrics.unit) as unit,
        100 as metric_order,
    from other_metrics
    left join core on other_metrics.metric = core.metric
    -- A data set cannot redefine a signal of the same name.
    where
        core.metric is null
        -- Nor is a count that stands an outcome: see the macro.
        and other_metrics.metric not in (
            {%- for level in snapshot_levels() %}
            '{{ level }}'{{ "," if not loop.last }}
            {%- endfor %}
        )
        and other_metrics.metric not in (
            {%- for signal in lag_screen_signals() %}
            '{{ signal }}'{{ "," if not loop.last }}
            {%- endfor %}
        )
    group by other_metrics.metric
),

final as (
    select * from core
    union all by name
    select * from of_data_sets
)

select * from final
