with series as (
    select * from {{ ref('int_daily__series') }}
),

daily_signals as (
    select * from {{ ref('int_daily__signals') }}
),

-- Nine digits: the last ones of a mean depend on the order in which it was added up.
days as (
    select
        series.product_id,
        series.series,
        series.date_day,
        concat_ws(
            '|',
            series.date_day,
            coalesce(format('{:.9g}', series.observed_value), 'null'),
            series.is_promo,
            series.is_holiday,
            series.is_stock_out,
            series.is_expected,
            case
                when series.series_role = 'signal'
                    then
                        coalesce(cast(daily_signals.posts_count as varchar), 'null')
                        || '|'
                        || coalesce(
                            format('{:.9g}', daily_signals.sentiment_se), 'null'
                        )
            end
        ) as day_text,
    from series
    inner join daily_signals
        on
            series.product_id = daily_signals.product_id
            and series.date_day = daily_signals.date_day
),

final as (
    select
        product_id,
        series,
        md5(string_agg(day_text, chr(10) order by date_day)) as data_hash,
    from days
    group by product_id, series
)

select * from final
