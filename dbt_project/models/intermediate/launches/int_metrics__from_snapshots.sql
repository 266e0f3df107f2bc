{#-
Counts as of a day and what they gained. A day without a fetch has no row: it is unknown,
never 0, and so is the gain of a day whose day before is.
-#}
with repositories as (
    select * from {{ ref('int_repositories__products') }}
),

repository_counts as (
    select * from {{ ref('stg_github__repositories') }}
),

issue_counts as (
    select * from {{ ref('stg_github__issue_counts') }}
),

launches as (
    select * from {{ ref('int_launches__products') }}
),

launch_counts as (
    select * from {{ ref('stg_producthunt__posts') }}
),

stars as (
    select * from {{ ref('stg_github__stars') }}
),

counted as (
    {%- for column, level, gain, unit in repository_metrics() %}
    select
        repository_id,
        '{{ level }}' as metric,
        '{{ gain }}' as gain_metric,
        '{{ unit }}' as unit,
        {{ column }} as metric_value,
        fetched_at,
        is_simulated,
    from {{ 'issue_counts' if column == 'open_issues_count' else 'repository_counts' }}
    where {{ column }} is not null
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- Of several fetches of a business day the last one counts.
daily_counts as (
    select
        repository_id,
        {{ business_date('fetched_at') }} as date_day,
        metric,
        gain_metric,
        unit,
        max_by(metric_value, (fetched_at, metric_value)) as metric_value,
        bool_or(is_simulated) as is_simulated,
    from counted
    group by
        repository_id, {{ business_date('fetched_at') }}, metric, gain_metric, unit
),

daily_gains as (
    select
        repository_id,
        date_day,
        gain_metric as metric,
        unit,
        metric_value - lag(metric_value) over previous_count as metric_value,
        date_day - lag(date_day) over previous_count as days_since_count,
        is_simulated,
    from daily_counts
    window previous_count as (partition by repository_id, metric order by date_day)
),

-- The list of stars goes back to the first one. A second that was read again counts as
-- it was read last.
star_seconds as (
    select
        repository_id,
        starred_at,
        max_by(stars_count, (fetched_at, star_snapshot_key)) as stars_count,
        bool_or(is_simulated) as is_simulated,
    from stars
    where starred_at is not null and stars_count is not null
    group by repository_id, starred_at
),

star_days as (
    select
        repository_id,
        {{ business_date('starred_at') }} as date_day,
        sum(stars_count) as stars_count,
        bool_or(is_simulated) as is_simulated,
    from star_seconds
    group by repository_id, {{ business_date('starred_at') }}
),

covered as (
    select
        repository_id,
        max(covered_until) as covered_until,
    from stars
    where covered_until is not null
    group by repository_id
),

-- Until its last whole day the list is complete: a day that is not in it had no star.
covered_days as (
    select
        star_days.repository_id,
        bool_or(star_days.is_simulated) as is_simulated,
        cast(
            unnest(generate_series(
                cast(min(star_days.date_day) as timestamp),
                cast(
                    {{ business_date('max(covered.covered_until)') }} - 1 as timestamp
                ),
                interval 1 day
            )) as date
        ) as date_day,
    from star_days
    inner join covered on star_days.repository_id = covered.repository_id
    group by star_days.repository_id
),

listed_stars as (
    select
        covered_days.repository_id,
        covered_days.date_day,
        'github_new_stars' as metric,
        'stars' as unit,
        coalesce(star_days.stars_count, 0) as metric_value,
        covered_days.is_simulated,
    from covered_days
    left join star_days
        on
            covered_days.repository_id = star_days.repository_id
            and covered_days.date_day = star_days.date_day
),

repository_days as (
    select
        repository_id,
        date_day,
        metric,
        unit,
        metric_value,
        is_simulated,
    from daily_counts
    union all by name
    select * from listed_stars
    union all by name
    select
        daily_gains.repository_id,
        daily_gains.date_day,
        daily_gains.metric,
        daily_gains.unit,
        daily_gains.metric_value,
        daily_gains.is_simulated,
    from daily_gains
    left join listed_stars
        on
            daily_gains.repository_id = listed_stars.repository_id
            and daily_gains.date_day = listed_stars.date_day
            and daily_gains.metric = listed_stars.metric
    where daily_gains.days_since_count = 1 and listed_stars.repository_id is null
),

launches_counted as (
    {%- for column, level, gain, unit in launch_metrics() %}
    select
        launches.product_id,
        launch_counts.launch_id,
        {{ business_date('launch_counts.fetched_at') }} as date_day,
        '{{ level }}' as metric,
        '{{ gain }}' as gain_metric,
        '{{ unit }}' as unit,
        max_by(
            launch_counts.{{ column }},
            (launch_counts.fetched_at, launch_counts.launch_snapshot_key)
        ) as metric_value,
        bool_or(launch_counts.is_simulated) as is_simulated,
    from launch_counts
    inner join launches on launch_counts.launch_id = launches.launch_id
    where
        launches.product_id is not null
        and launch_counts.{{ column }} is not null
    group by
        launches.product_id,
        launch_counts.launch_id,
        {{ business_date('launch_counts.fetched_at') }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

counted_days as (
    select distinct
        product_id,
        date_day,
        metric,
        unit,
    from launches_counted
),

-- A launch that is no longer counted stands with its last count.
launches_standing as (
    select
        counted_days.product_id,
        counted_days.date_day,
        counted_days.metric,
        counted_days.unit,
        launches_counted.metric_value,
        launches_counted.is_simulated,
    from counted_days
    inner join launches_counted
        on
            counted_days.product_id = launches_counted.product_id
            and counted_days.metric = launches_counted.metric
            and counted_days.date_day >= launches_counted.date_day
    qualify
        row_number() over (
            partition by
                counted_days.product_id,
                counted_days.metric,
                counted_days.date_day,
                launches_counted.launch_id
            order by launches_counted.date_day desc
        ) = 1
),

launch_levels as (
    select
        product_id,
        date_day,
        metric,
        unit,
        sum(metric_value) as metric_value,
        bool_or(is_simulated) as is_simulated,
    from launches_standing
    group by product_id, date_day, metric, unit
),

launch_steps as (
    select
        product_id,
        date_day,
        gain_metric as metric,
        unit,
        metric_value - lag(metric_value) over previous_count as metric_value,
        date_day - lag(date_day) over previous_count as days_since_count,
        is_simulated,
    from launches_counted
    window previous_count as (partition by launch_id, metric order by date_day)
),

launch_gains as (
    select
        product_id,
        date_day,
        metric,
        unit,
        sum(metric_value) as metric_value,
        bool_or(is_simulated) as is_simulated,
    from launch_steps
    where days_since_count = 1
    group by product_id, date_day, metric, unit
),

product_launch_days as (
    select * from launch_levels
    union all by name
    select * from launch_gains
),

final as (
    select
        product_id,
        date_day,
        metric,
        cast(metric_value as double) as metric_value,
        unit,
        'producthunt' as source_name,
        'all launches' as series_name,
        3 as priority,
        is_simulated,
    from product_launch_days
    union all by name
    select
        repositories.product_id,
        repository_days.date_day,
        repository_days.metric,
        cast(repository_days.metric_value as double) as metric_value,
        repository_days.unit,
        'github' as source_name,
        repositories.full_name as series_name,
        3 as priority,
        repository_days.is_simulated,
    from repository_days
    inner join repositories
        on repository_days.repository_id = repositories.repository_id
    where repositories.product_id is not null
)

select * from final
