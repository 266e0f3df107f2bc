{#-
No row for all platforms: a sum over rows would count it twice. Authors are of one platform
each, so counts add up over platforms, and squares of posts over effective posts do too.
-#}
{%- set labels = ['positive', 'neutral', 'negative'] -%}
{%- set effective_posts_min = 5 -%}
{%- set z = 1.959963984540054 -%}

with

calendar as (
    select * from {{ ref('int_calendar__days') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

post_products as (
    select * from {{ ref('bridge_post_products') }}
),

corrections as (
    select * from {{ ref('int_mood__correction') }}
),

product_weeks as (
    select
        product_id,
        cast(date_trunc('week', date_day) as date) as week_start_date,
        count(*) filter (where is_observed_social) as observed_days_count,
    from calendar
    group by product_id, cast(date_trunc('week', date_day) as date)
),

mentions as (
    select
        post_products.product_id,
        posts.platform,
        cast(date_trunc('week', posts.posted_date) as date) as week_start_date,
        {{ author_key('posts') }} as author_key,
        posts.sentiment_label,
        posts.sentiment_status,
        posts.is_suspected_bot,
        posts.is_simulated,
    from posts
    inner join post_products on posts.post_key = post_products.post_key
    inner join calendar
        on
            post_products.product_id = calendar.product_id
            and posts.posted_date = calendar.date_day
            and calendar.is_observed_social
    where posts.is_relevant
),

author_weeks as (
    select
        product_id,
        platform,
        week_start_date,
        author_key,
        count(*) as posts_count,
        count(*) filter (where is_suspected_bot) as suspected_bot_posts_count,
        count(sentiment_label) as scored_count,
        count(*) filter (where sentiment_status = 'low_confidence')
            as low_confidence_count,
        {%- for label in labels %}
        count(*) filter (where sentiment_label = '{{ label }}') as {{ label }}_count,
        {%- endfor %}
        bool_or(is_simulated) as is_simulated,
    from mentions
    group by product_id, platform, week_start_date, author_key
),

weeks as (
    select
        product_id,
        platform,
        week_start_date,
        sum(posts_count) as posts_count,
        count(*) as authors_count,
        sum(suspected_bot_posts_count) as suspected_bot_posts_count,
        sum(scored_count) as scored_count,
        sum(scored_count * scored_count) as scored_square_sum,
        sum(low_confidence_count) as low_confidence_count,
        {%- for label in labels %}
        sum({{ label }}_count) as {{ label }}_count,
        {%- endfor %}
        bool_or(is_simulated) as is_simulated,
    from author_weeks
    group by product_id, platform, week_start_date
),

{#- From the first to the last week in which the platform speaks of the product. -#}
spans as (
    select
        product_id,
        platform,
        min(week_start_date) as first_week_date,
        max(week_start_date) as last_week_date,
    from weeks
    group by product_id, platform
),

spanned as (
    select
        spans.product_id,
        spans.platform,
        spans.first_week_date,
        product_weeks.week_start_date,
        product_weeks.observed_days_count,
    from spans
    inner join product_weeks
        on
            spans.product_id = product_weeks.product_id
            and spans.first_week_date <= product_weeks.week_start_date
            and spans.last_week_date >= product_weeks.week_start_date
    where product_weeks.observed_days_count > 0
),

counted as (
    select
        spanned.product_id,
        spanned.platform,
        spanned.week_start_date,
        spanned.first_week_date,
        spanned.observed_days_count,
        {%- for measure in [
            'posts_count', 'authors_count', 'suspected_bot_posts_count',
            'scored_count', 'low_confidence_count', 'positive_count',
            'neutral_count', 'negative_count'
        ] %}
        coalesce(weeks.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        {{ effective_count('weeks.scored_count', 'weeks.scored_square_sum') }}
            as effective_posts,
        {%- for label in labels %}
        weeks.{{ label }}_count / nullif(weeks.scored_count, 0)
            as {{ label }}_ratio,
        {%- endfor %}
        {{ 'true' if setting_boolean('is_simulated') else 'false' }}
        or coalesce(weeks.is_simulated, false) as is_simulated,
    from spanned
    left join weeks
        on
            spanned.product_id = weeks.product_id
            and spanned.platform = weeks.platform
            and spanned.week_start_date = weeks.week_start_date
),

with_ends as (
    select
        *,
        positive_ratio - negative_ratio as net_sentiment,
        {%- for label in labels %}
        {{ wilson(label ~ '_ratio', 'effective_posts', -1) }} as {{ label }}_low,
        {{ wilson(label ~ '_ratio', 'effective_posts', 1) }} as {{ label }}_high,
        {%- endfor %}
    from counted
),

with_net as (
    select
        *,
        {%- for side, end in [(-1, 'low'), (1, 'high')] %}
        {#- greatest() and least() pass over null: without a label there is no end. #}
        case
            when scored_count > 0
                then greatest(-1, least(1, {{ difference_end(
                    'positive_ratio', 'positive_low', 'positive_high',
                    'negative_ratio', 'negative_low', 'negative_high',
                    side, class_correlation('positive_ratio', 'negative_ratio')
                ) }}))
        end as net_sentiment_{{ end }},
        {%- endfor %}
    from with_ends
),

given_shares as (
    {%- for label in labels %}
    select
        product_id,
        platform,
        week_start_date,
        '{{ label }}' as label,
        {{ label }}_ratio as given_ratio,
    from with_net
    where scored_count > 0
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{#- What the model's known mistakes make of the shares; cut off below 0. -#}
turned_back as (
    select
        given_shares.product_id,
        given_shares.platform,
        given_shares.week_start_date,
        {%- for label in labels %}
        greatest(sum(given_shares.given_ratio * corrections.{{ label }}_weight), 0)
            as {{ label }}_part,
        max(
            case
                when corrections.label = '{{ label }}' then corrections.net_variance
            end
        ) as {{ label }}_variance,
        {%- endfor %}
        sum(given_shares.given_ratio * corrections.net_weight) as net_middle,
        sum(
            given_shares.given_ratio * corrections.net_weight * corrections.net_weight
        ) as net_square,
    from given_shares
    inner join corrections on given_shares.label = corrections.label
    group by
        given_shares.product_id, given_shares.platform, given_shares.week_start_date
),

corrected_shares as (
    select
        *,
        positive_part + neutral_part + negative_part as whole,
        positive_part / whole as positive_corrected_ratio,
        neutral_part / whole as neutral_corrected_ratio,
        negative_part / whole as negative_corrected_ratio,
    from turned_back
),

compared as (
    select
        with_net.*,
        corrected_shares.positive_corrected_ratio,
        corrected_shares.neutral_corrected_ratio,
        corrected_shares.negative_corrected_ratio,
        corrected_shares.positive_corrected_ratio
        - corrected_shares.negative_corrected_ratio as net_sentiment_corrected,
        corrected_shares.net_middle,
        {#- Of the posts, and of the texts on which the mistakes were counted. #}
        {{ z }} * sqrt(
            greatest(
                corrected_shares.net_square
                - corrected_shares.net_middle * corrected_shares.net_middle,
                0
            ) / with_net.effective_posts
            {%- for label in labels %}
            + corrected_shares.{{ label }}_corrected_ratio
            * corrected_shares.{{ label }}_corrected_ratio
            * corrected_shares.{{ label }}_variance
            {%- endfor %}
        ) as corrected_half_width,
        base.net_sentiment as base_net,
        base.net_sentiment_low as base_low,
        base.net_sentiment_high as base_high,
        case
            when with_net.week_start_date = with_net.first_week_date then 'first_week'
            when base.product_id is null then 'gap'
            when with_net.scored_count = 0 or base.scored_count = 0
                then 'no_scored_posts'
            when
                with_net.effective_posts < {{ effective_posts_min }}
                or base.effective_posts < {{ effective_posts_min }}
                then 'too_few_posts'
        end as change_reason,
    from with_net
    left join with_net as base
        on
            with_net.product_id = base.product_id
            and with_net.platform = base.platform
            and with_net.week_start_date = base.week_start_date + 7
    left join corrected_shares
        on
            with_net.product_id = corrected_shares.product_id
            and with_net.platform = corrected_shares.platform
            and with_net.week_start_date = corrected_shares.week_start_date
),

with_changes as (
    select
        *,
        net_sentiment - base_net as net_change,
        {%- for side, end in [(-1, 'low'), (1, 'high')] %}
        case
            when change_reason is null
                then {{ difference_end(
                    'net_sentiment', 'net_sentiment_low', 'net_sentiment_high',
                    'base_net', 'base_low', 'base_high', side
                ) }}
        end as net_change_{{ end }},
        {%- endfor %}
    from compared
),

with_p_values as (
    select
        *,
        {{ p_of_difference('net_change', 'net_change_low', 'net_change_high') }}
            as p_value,
    from with_changes
),

corrected as (
    {{ with_q_values(
        'with_p_values', 'week_start_date', "product_id || '|' || platform"
    ) }}
),

final as (
    select
        product_id
        || '|'
        || platform
        || '|'
        || week_start_date as brand_week_key,
        product_id,
        platform,
        week_start_date,
        cast(observed_days_count as bigint) as observed_days_count,
        observed_days_count < 7 as is_partial_week,
        cast(posts_count as bigint) as posts_count,
        cast(authors_count as bigint) as authors_count,
        cast(suspected_bot_posts_count as bigint) as suspected_bot_posts_count,
        cast(scored_count as bigint) as scored_posts_count,
        cast(low_confidence_count as bigint) as low_confidence_posts_count,
        cast(posts_count - scored_count as bigint) as unscored_posts_count,
        cast(effective_posts as double) as effective_posts,
        {%- for label in labels %}
        cast({{ label }}_count as bigint) as {{ label }}_count,
        cast({{ label }}_ratio as double) as {{ label }}_ratio,
        cast({{ label }}_low as double) as {{ label }}_low_ratio,
        cast({{ label }}_high as double) as {{ label }}_high_ratio,
        {%- endfor %}
        cast(net_sentiment as double) as net_sentiment,
        cast(net_sentiment_low as double) as net_sentiment_low,
        cast(net_sentiment_high as double) as net_sentiment_high,
        {%- for label in labels %}
        cast({{ label }}_corrected_ratio as double) as {{ label }}_corrected_ratio,
        {%- endfor %}
        cast(net_sentiment_corrected as double) as net_sentiment_corrected,
        cast(
            case
                when corrected_half_width is not null
                    then greatest(
                        least(
                            net_middle - corrected_half_width, net_sentiment_corrected
                        ),
                        -1
                    )
            end as double
        ) as net_sentiment_corrected_low,
        cast(
            case
                when corrected_half_width is not null
                    then least(
                        greatest(
                            net_middle + corrected_half_width, net_sentiment_corrected
                        ),
                        1
                    )
            end as double
        ) as net_sentiment_corrected_high,
        cast(net_change as double) as net_change,
        cast(net_change_low as double) as net_change_low,
        cast(net_change_high as double) as net_change_high,
        p_value,
        q_value,
        coalesce(q_value <= 0.05, false) as is_change_clear,
        change_reason,
        is_simulated,
    from corrected
)

select
    brand_week_key,
    product_id,
    platform,
    week_start_date,
    observed_days_count,
    is_partial_week,
    posts_count,
    authors_count,
    suspected_bot_posts_count,
    scored_posts_count,
    low_confidence_posts_count,
    unscored_posts_count,
    effective_posts,
    {%- for label in labels %}
    {{ label }}_count,
    {{ label }}_ratio,
    {{ label }}_low_ratio,
    {{ label }}_high_ratio,
    {%- endfor %}
    net_sentiment,
    net_sentiment_low,
    net_sentiment_high,
    {%- for label in labels %}
    {{ label }}_corrected_ratio,
    {%- endfor %}
    net_sentiment_corrected,
    net_sentiment_corrected_low,
    net_sentiment_corrected_high,
    net_change,
    net_change_low,
    net_change_high,
    p_value,
    q_value,
    is_change_clear,
    change_reason,
    is_simulated,
from final
