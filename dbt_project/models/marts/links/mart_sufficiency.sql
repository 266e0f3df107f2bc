with pairs as (
    select * from {{ ref('int_links__pairs') }}
),

judged as (
    select
        product_id,
        signal,
        metric,
        metric_kind,
        metric_family,
        case
            when days_observed < 60 then 'insufficient'
            when not has_variance then 'blocked'
            when missing_day_ratio > 0.10 then 'blocked'
            when coalesce(is_low_posts, true) or coalesce(is_low_outcome, false)
                then 'descriptive'
            when days_observed < 90 then 'descriptive'
            when days_observed < 180 then 'tested'
            else 'full'
        end as gate,
        days_observed,
        days_expected,
        days_missing,
        missing_day_ratio,
        posts_per_day,
        units_per_day,
        reviews_per_day,
        days_sold_ratio,
        mean_value,
        mood_reliability,
        has_variance,
        coalesce(is_low_posts, false) as is_low_posts,
        coalesce(is_low_outcome, false) as is_low_outcome,
        is_simulated,
    from pairs
),

explained as (
    select
        product_id,
        signal,
        metric,
        gate,
        case
            when days_observed = 0
                then 'no day has both ' || signal || ' and ' || metric
            when days_observed < 60
                then
                    days_observed || ' of 90 days with both ' || signal || ' and '
                    || metric
            when not has_variance
                then signal || ' or ' || metric || ' never changes'
            when (is_low_posts or is_low_outcome) and missing_day_ratio > 0.10
                then
                    'not testable at this volume by day, and ' || days_missing || ' of '
                    || days_expected || ' open days are missing'
            when missing_day_ratio > 0.10
                then
                    days_missing || ' of ' || days_expected || ' open days are missing'
            when is_low_posts and is_low_outcome
                then 'too few posts and too few sales a day: weekly or pooled'
            when is_low_posts
                then 'fewer than 3 posts a day: weekly or pooled'
            when is_low_outcome and metric_family = 'sales'
                then 'fewer than 3 units a day: weekly or pooled'
            when is_low_outcome
                then 'fewer than 3 reviews a day: weekly or pooled'
            when gate = 'descriptive'
                then days_observed || ' of 90 days: described, not tested'
            when gate = 'tested'
                then days_observed || ' days: tested; some tests need 180'
            else days_observed || ' days: every test applies'
        end as reason,
        days_observed,
        case when days_observed < 90 then 90 else 180 end as days_needed,
        missing_day_ratio,
        posts_per_day,
        units_per_day,
        days_sold_ratio,
        mood_reliability,
        nullif(
            concat_ws(
                '; ',
                case
                    when days_observed < 90
                        then
                            {{ lag_screen_more_days('(90 - days_observed)') }}
                            || ' with both ' || signal
                            || ' and ' || metric
                    when days_observed < 180
                        then
                            {{ lag_screen_more_days('(180 - days_observed)') }}
                            || ' for every test'
                end,
                case
                    when days_observed >= 60 and not has_variance
                        then 'a series that changes'
                end,
                case
                    when missing_day_ratio > 0.10
                        then
                            'values for ' || days_missing || ' missing days, or the '
                            || 'setting closed_weekdays if the shop was closed'
                end,
                case
                    when days_observed > 0 and is_low_posts
                        then
                            'posts: ' || format('{:.1f}', posts_per_day)
                            || ' a day of 3 needed'
                end,
                case
                    when
                        days_observed > 0
                        and is_low_outcome
                        and metric_family = 'sales'
                        then
                            'units: ' || format('{:.1f}', units_per_day)
                            || ' a day of 3 needed'
                    when days_observed > 0 and is_low_outcome
                        then
                            'reviews: ' || format('{:.1f}', reviews_per_day)
                            || ' a day of 3 needed'
                end
            ),
            ''
        ) as what_is_missing,
        gate in ('tested', 'full')
        and metric_kind in ('count', 'money', 'other')
        and coalesce(days_sold_ratio >= 0.5, false)
        and coalesce(
            case
                when metric_family = 'sales' then units_per_day
                else mean_value
            end >= 5,
            false
        )
        and coalesce(posts_per_day >= 15 and mood_reliability >= 0.5, false)
            as is_percentage_allowed,
        is_simulated,
    from judged
),

final as (
    select
        product_id,
        signal,
        metric,
        gate,
        reason,
        what_is_missing,
        cast(days_observed as bigint) as days_observed,
        cast(days_needed as bigint) as days_needed,
        cast(missing_day_ratio as double) as missing_day_ratio,
        cast(posts_per_day as double) as posts_per_day,
        cast(units_per_day as double) as units_per_day,
        cast(days_sold_ratio as double) as days_sold_ratio,
        cast(mood_reliability as double) as mood_reliability_ratio,
        is_percentage_allowed,
        is_simulated,
    from explained
)

select
    product_id,
    signal,
    metric,
    gate,
    reason,
    what_is_missing,
    days_observed,
    days_needed,
    missing_day_ratio,
    posts_per_day,
    units_per_day,
    days_sold_ratio,
    mood_reliability_ratio,
    is_percentage_allowed,
    is_simulated,
from final
