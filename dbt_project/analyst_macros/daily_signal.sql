-- noqa: disable=RF02
-- The parameters have the names that people look for; the columns are qualified, so
-- that they are not mistaken for them.
select
    signals.date_day as day,
    case signal
        when 'posts_count' then cast(signals.posts_count as double)
        when 'authors_count' then cast(signals.authors_count as double)
        when 'sentiment_mean' then signals.sentiment_mean
        when 'sentiment_sd' then signals.sentiment_sd
        when 'sentiment_se' then signals.sentiment_se
        when 'net_sentiment' then signals.net_sentiment
        when 'engagement_count' then cast(signals.engagement_count as double)
        when 'share_of_voice_ratio' then signals.share_of_voice_ratio
        when 'units' then cast(signals.units as double)
        when 'net_sales' then cast(signals.net_sales as double)
        when 'orders_count' then cast(signals.orders_count as double)
        when 'reviews_count' then cast(signals.reviews_count as double)
        when 'rating_mean' then signals.rating_mean
        when 'search_interest' then signals.search_interest
        else
            case
                when exists (
                    select 1 from marts.fct_daily_metrics as known
                    where known.metric = signal
                ) then metrics.value
                else error(
                    'There is no signal or metric ' || signal || '. Signals are the '
                    || 'columns of marts.fct_daily_signals, further metrics those of '
                    || 'marts.fct_daily_metrics.'
                )
            end
    end as value
from marts.fct_daily_signals as signals
left join marts.fct_daily_metrics as metrics
    on
        signals.product_id = metrics.product_id
        and signals.date_day = metrics.date_day
        and metrics.metric = signal
where signals.product_id = product_id
order by signals.date_day
