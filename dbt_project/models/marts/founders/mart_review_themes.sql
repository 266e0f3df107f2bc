{#-
Periods end with the last day that anybody wrote, not with the cut-off: of a data set of
long ago the last month is its own.
-#}
{%- set period_days = 28 -%}
{%- set effective_texts_min = 10 -%}
{%- set top_terms = 5 -%}
{%- set examples = 3 -%}

with

records as (
    select * from {{ ref('int_themes__records') }}
),

mentions as (
    select * from {{ ref('int_themes__mentions') }}
),

last_days as (
    select max(date_day) as last_day
    from records
),

dated_records as (
    select
        records.*,
        date_diff('day', records.date_day, last_days.last_day) < {{ period_days }}
            as is_recent,
        date_diff('day', records.date_day, last_days.last_day)
        between {{ period_days }} and {{ 2 * period_days - 1 }} as is_previous,
    from records
    cross join last_days
),

{#- Of each author by product: what the effective numbers of texts are made of. -#}
author_texts as (
    select
        product_id,
        author_key,
        count(*) as text_count,
        count(*) filter (where is_recent) as recent_count,
        count(*) filter (where is_previous) as previous_count,
    from dated_records
    group by product_id, author_key
),

product_texts as (
    select
        product_id,
        sum(text_count) as text_count,
        sum(text_count * text_count) as text_square_sum,
        sum(recent_count) as recent_count,
        sum(recent_count * recent_count) as recent_square_sum,
        sum(previous_count) as previous_count,
        sum(previous_count * previous_count) as previous_square_sum,
    from author_texts
    group by product_id
),

dated_mentions as (
    select
        mentions.*,
        date_diff('day', mentions.date_day, last_days.last_day) < {{ period_days }}
            as is_recent,
        date_diff('day', mentions.date_day, last_days.last_day)
        between {{ period_days }} and {{ 2 * period_days - 1 }} as is_previous,
    from mentions
    cross join last_days
),

author_mentions as (
    select
        product_id,
        theme_kind,
        theme,
        author_key,
        count(*) as text_count,
    from dated_mentions
    group by product_id, theme_kind, theme, author_key
),

theme_authors as (
    select
        product_id,
        theme_kind,
        theme,
        count(*) as authors_count,
        sum(text_count * text_count) as text_square_sum,
    from author_mentions
    group by product_id, theme_kind, theme
),

term_uses as (
    select
        product_id,
        theme_kind,
        theme,
        author_key,
        unnest(terms) as term,
    from dated_mentions
),

term_authors as (
    select
        product_id,
        theme_kind,
        theme,
        term,
        count(distinct author_key) as authors_count,
    from term_uses
    group by product_id, theme_kind, theme, term
),

theme_terms as (
    select
        product_id,
        theme_kind,
        theme,
        list(term order by authors_count desc, term asc)[:{{ top_terms }}] as top_terms,
    from term_authors
    group by product_id, theme_kind, theme
),

themes as (
    select
        product_id,
        theme_kind,
        theme,
        count(*) as text_count,
        count(*) filter (where record_kind = 'review') as reviews_count,
        count(*) filter (where record_kind = 'post') as posts_count,
        count(*) filter (where opinion = 'praise') as praise_count,
        count(*) filter (where opinion = 'complaint') as complaint_count,
        count(*) filter (where opinion = 'mixed') as mixed_count,
        count(*) filter (where opinion = 'neutral') as neutral_count,
        count(*) filter (where is_recent) as recent_count,
        count(*) filter (where is_previous) as previous_count,
        {%- for side in ['praise', 'complaint'] %}
        {%- for kind in ['review', 'post'] %}
        {#- The clearest, by key where that is equal. #}
        coalesce(
            max_by(
                record_key,
                { 'confidence': {{ side }}_confidence, 'record_key': record_key },
                {{ examples }}
            ) filter (
                where opinion = '{{ side }}' and record_kind = '{{ kind }}'
            ),
            []
        ) as {{ side }}_{{ kind }}_keys,
        {%- endfor %}
        {%- endfor %}
        min(date_day) as first_date,
        max(date_day) as last_date,
        bool_or(is_simulated) as is_simulated,
    from dated_mentions
    group by product_id, theme_kind, theme
),

shares as (
    select
        themes.*,
        theme_authors.authors_count,
        theme_terms.top_terms,
        product_texts.text_count as product_text_count,
        product_texts.recent_count as product_recent_count,
        product_texts.previous_count as product_previous_count,
        {{ effective_count(
            'product_texts.text_count', 'product_texts.text_square_sum'
        ) }} as effective_texts,
        {{ effective_count(
            'product_texts.recent_count', 'product_texts.recent_square_sum'
        ) }} as recent_effective_texts,
        {{ effective_count(
            'product_texts.previous_count', 'product_texts.previous_square_sum'
        ) }} as previous_effective_texts,
        {{ effective_count('themes.text_count', 'theme_authors.text_square_sum') }}
            as effective_mentions,
        themes.text_count / product_texts.text_count as share_ratio,
        themes.recent_count / nullif(product_texts.recent_count, 0)
            as recent_share_ratio,
        themes.previous_count / nullif(product_texts.previous_count, 0)
            as previous_share_ratio,
        themes.praise_count / themes.text_count as praise_ratio,
        themes.complaint_count / themes.text_count as complaint_ratio,
    from themes
    inner join product_texts on themes.product_id = product_texts.product_id
    inner join theme_authors
        on
            themes.product_id = theme_authors.product_id
            and themes.theme_kind = theme_authors.theme_kind
            and themes.theme = theme_authors.theme
    inner join theme_terms
        on
            themes.product_id = theme_terms.product_id
            and themes.theme_kind = theme_terms.theme_kind
            and themes.theme = theme_terms.theme
),

reasoned as (
    select
        *,
        case
            when coalesce(product_recent_count, 0) = 0 then 'no_recent_texts'
            when coalesce(product_previous_count, 0) = 0 then 'no_previous_texts'
            when
                recent_effective_texts < {{ effective_texts_min }}
                or previous_effective_texts < {{ effective_texts_min }}
                then 'too_few_texts'
        end as change_reason,
    from shares
),

with_ends as (
    select
        *,
        {%- for share, trials in [
            ('share', 'effective_texts'),
            ('recent_share', 'recent_effective_texts'),
            ('previous_share', 'previous_effective_texts'),
            ('praise', 'effective_mentions'),
            ('complaint', 'effective_mentions'),
        ] %}
        {{ wilson(share ~ '_ratio', trials, -1) }} as {{ share }}_low_ratio,
        {{ wilson(share ~ '_ratio', trials, 1) }} as {{ share }}_high_ratio,
        {%- endfor %}
    from reasoned
),

with_changes as (
    select
        *,
        praise_ratio - complaint_ratio as net_sentiment,
        {%- for side, end in [(-1, 'low'), (1, 'high')] %}
        {{ difference_end(
            'praise_ratio', 'praise_low_ratio', 'praise_high_ratio',
            'complaint_ratio', 'complaint_low_ratio', 'complaint_high_ratio',
            side, class_correlation('praise_ratio', 'complaint_ratio')
        ) }} as net_sentiment_{{ end }},
        case
            when change_reason is null
                then {{ difference_end(
                    'recent_share_ratio', 'recent_share_low_ratio',
                    'recent_share_high_ratio', 'previous_share_ratio',
                    'previous_share_low_ratio', 'previous_share_high_ratio', side
                ) }}
        end as share_change_{{ end }},
        {%- endfor %}
        recent_share_ratio - previous_share_ratio as share_change,
    from with_ends
),

with_p_values as (
    select
        *,
        {{ p_of_difference('share_change', 'share_change_low', 'share_change_high') }}
            as p_value,
    from with_changes
),

corrected as (
    {{ with_q_values('with_p_values', 'theme_kind', "product_id || '|' || theme") }}
),

final as (
    select
        product_id || '|' || theme_kind || '|' || theme as product_theme_key,
        product_id,
        theme_kind,
        theme,
        cast(text_count as bigint) as texts_count,
        cast(reviews_count as bigint) as reviews_count,
        cast(posts_count as bigint) as posts_count,
        cast(authors_count as bigint) as authors_count,
        cast(product_text_count as bigint) as product_texts_count,
        cast(effective_texts as double) as effective_texts,
        cast(share_ratio as double) as share_ratio,
        cast(share_low_ratio as double) as share_low_ratio,
        cast(share_high_ratio as double) as share_high_ratio,
        cast(praise_count as bigint) as praise_count,
        cast(complaint_count as bigint) as complaint_count,
        cast(mixed_count as bigint) as mixed_count,
        cast(neutral_count as bigint) as neutral_count,
        cast(net_sentiment as double) as net_sentiment,
        cast(
            case when net_sentiment_low < -1 then -1 else net_sentiment_low end
            as double
        ) as net_sentiment_low,
        cast(
            case when net_sentiment_high > 1 then 1 else net_sentiment_high end
            as double
        ) as net_sentiment_high,
        cast(recent_count as bigint) as recent_texts_count,
        cast(product_recent_count as bigint) as recent_product_texts_count,
        cast(recent_share_ratio as double) as recent_share_ratio,
        cast(previous_count as bigint) as previous_texts_count,
        cast(product_previous_count as bigint) as previous_product_texts_count,
        cast(previous_share_ratio as double) as previous_share_ratio,
        cast(share_change as double) as share_change,
        cast(share_change_low as double) as share_change_low,
        cast(share_change_high as double) as share_change_high,
        p_value,
        q_value,
        coalesce(q_value <= 0.05, false) as is_change_clear,
        change_reason,
        top_terms,
        praise_review_keys,
        praise_post_keys,
        complaint_review_keys,
        complaint_post_keys,
        first_date,
        last_date,
        is_simulated,
    from corrected
)

select
    product_theme_key,
    product_id,
    theme_kind,
    theme,
    texts_count,
    reviews_count,
    posts_count,
    authors_count,
    product_texts_count,
    effective_texts,
    share_ratio,
    share_low_ratio,
    share_high_ratio,
    praise_count,
    complaint_count,
    mixed_count,
    neutral_count,
    net_sentiment,
    net_sentiment_low,
    net_sentiment_high,
    recent_texts_count,
    recent_product_texts_count,
    recent_share_ratio,
    previous_texts_count,
    previous_product_texts_count,
    previous_share_ratio,
    share_change,
    share_change_low,
    share_change_high,
    p_value,
    q_value,
    is_change_clear,
    change_reason,
    top_terms,
    praise_review_keys,
    praise_post_keys,
    complaint_review_keys,
    complaint_post_keys,
    first_date,
    last_date,
    is_simulated,
from final
