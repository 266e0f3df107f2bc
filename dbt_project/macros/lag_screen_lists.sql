{#- The daily signals that are held against outcomes, the one that matters most first. -#}
{% macro lag_screen_signals() -%}
    {{- return([
        'sentiment_mean',
        'net_sentiment',
        'posts_count',
        'engagement_count',
        'share_of_voice_ratio',
    ]) -}}
{%- endmacro %}

{#-
The outcomes every target has, with what they are: kind (count, money, rating, index)
says how they are scaled and gated, family which source they come from. Data sets add
theirs.
-#}
{% macro lag_screen_outcomes() -%}
    {{- return([
        {'metric': 'units', 'kind': 'count', 'family': 'sales', 'unit': 'units'},
        {'metric': 'net_sales', 'kind': 'money', 'family': 'sales', 'unit': 'currency'},
        {'metric': 'orders_count', 'kind': 'count', 'family': 'sales', 'unit': 'orders'},
        {
            'metric': 'reviews_count',
            'kind': 'count',
            'family': 'reviews',
            'unit': 'reviews',
        },
        {'metric': 'rating_mean', 'kind': 'rating', 'family': 'reviews', 'unit': 'stars'},
        {
            'metric': 'search_interest',
            'kind': 'index',
            'family': 'search',
            'unit': 'index 0-100',
        },
    ]) -}}
{%- endmacro %}
