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
        -- Missing days have a gate of their own: the others count the open days of the
        -- span, so that a stock-out of three days does not make 90 days 87.
        case
            when days_observed = 0 or days_open < 60 then 'insufficient'
            when not has_variance then 'blocked'
            when missing_day_ratio > 0.10 then 'blocked'
            when coalesce(is_low_posts, true) or coalesce(is_low_outcome, false)
                then 'descriptive'
            when days_open < 90 or days_observed < 60 then 'descriptive'
            when days_open < 180 then 'tested'
            else 'full'
        end as gate,
        days_observed,
        days_open,
        days_expected,
        days_missing,
        missing_day_ratio,
        posts_per_day,
        units_per_day,
        days_sold_ratio,
        mean_value,
        mood_reliability,
        has_variance,
        coalesce(is_low_posts, false) as is_low_posts,
        coalesce(is_low_outcome, false) as is_low_outcome,
        case
            when metric_family = 'sales' and units_per_day < 3 then 'units'
            when metric_family = 'reviews' and reviews_per_day < 3 then 'reviews'
            else metric
        end as low_words,
        case
            when metric_family = 'sales' and units_per_day < 3 then units_per_day
            when metric_family = 'reviews' and reviews_per_day < 3 then reviews_per_day
            else outcome_per_day
        end as low_value,
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
            when days_open < 60
                then
                    days_open || ' of 90 days with both ' || signal || ' and '
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
                then
                    'fewer than 3 posts and fewer than 3 ' || low_words
                    || ' a day: weekly or pooled'
            when is_low_posts
                then 'fewer than 3 posts a day: weekly or pooled'
            when is_low_outcome
                then 'fewer than 3 ' || low_words || ' a day: weekly or pooled'
            when gate = 'descriptive' and days_open >= 90
                then
                    days_observed || ' of 60 days with both in stock: described, '
                    || 'not tested'
            when gate = 'descriptive'
                then days_open || ' of 90 days: described, not tested'
            when gate = 'tested'
                then days_open || ' days: tested; some tests need 180'
            else days_open || ' days: every test applies'
        end as reason,
        days_observed,
        days_open,
        case when days_open < 90 then 90 else 180 end as days_needed,
        missing_day_ratio,
        posts_per_day,
        units_per_day,
        days_sold_ratio,
        mood_reliability,
        nullif(
            concat_ws(
                '; ',
                case
                    when days_open < 90
                        then
                            {{ lag_screen_more_days('(90 - days_open)') }}
                            || ' with both ' || signal
                            || ' and ' || metric
                    when days_open < 180
                        then
                            {{ lag_screen_more_days('(180 - days_open)') }}
                            || ' for every test'
                end,
                case
                    when days_open >= 60 and not has_variance
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
                    when days_observed > 0 and is_low_outcome
                        then
                            low_words || ': ' || format('{:.1f}', low_value)
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
        cast(days_open as bigint) as days_open,
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
    days_open,
    days_needed,
    missing_day_ratio,
    posts_per_day,
    units_per_day,
    days_sold_ratio,
    mood_reliability_ratio,
    is_percentage_allowed,
    is_simulated,
from final
