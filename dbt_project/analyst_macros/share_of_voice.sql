-- noqa: disable=RF02
with
latest as (
    select max(weeks.week_start_date) as week_start_date
    from marts.mart_share_of_voice as weeks
    where weeks.category = category and not weeks.is_partial_week
),

products as (
    select
        weeks.product_id,
        sum(weeks.mentions_count) as mentions_count,
        coalesce(
            sum(weeks.mentions_count) filter (
                where weeks.week_start_date
                between latest.week_start_date - 21 and latest.week_start_date
            ),
            0
        ) as recent_mentions_count
    from marts.mart_share_of_voice as weeks
    cross join latest
    where weeks.category = category
    group by weeks.product_id
)

select
    product_id,
    cast(mentions_count as bigint) as mentions_count,
    mentions_count / nullif(sum(mentions_count) over (), 0) as share_ratio,
    cast(recent_mentions_count as bigint) as recent_mentions_count,
    recent_mentions_count / nullif(sum(recent_mentions_count) over (), 0)
        as recent_share_ratio
from products
order by mentions_count desc, product_id asc
