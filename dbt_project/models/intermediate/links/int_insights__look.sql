with series as (
    select * from {{ ref('int_daily__series') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

-- A look is named by the last day of its data, not by when it was taken: a rebuild of
-- the same data is the same look.
final as (
    select
        coalesce(
            (
                select max(date_day)
                from series
                where observed_value is not null
            ),
            cast({{ cutoff_at() }} as date),
            date '1970-01-01'
        ) as look_date,
        (select max(model_revision) from posts) as model_revision,
)

select * from final
