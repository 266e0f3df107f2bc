-- Within a category and day the shares are a whole, wherever there is any post.
select
    products.category,
    signals.date_day,
    sum(signals.posts_count) as posts_count,
    sum(signals.share_of_voice_ratio) as share_of_voice_ratio,
from {{ ref('fct_daily_signals') }} as signals
inner join {{ ref('dim_products') }} as products
    on signals.product_id = products.product_id
group by products.category, signals.date_day
having
    (
        sum(signals.posts_count) > 0
        and abs(coalesce(sum(signals.share_of_voice_ratio), 0) - 1) > 1e-9
    )
    or (
        coalesce(sum(signals.posts_count), 0) = 0
        and sum(signals.share_of_voice_ratio) is not null
    )
