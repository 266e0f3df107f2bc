{#- What a reader calls a signal or a metric. -#}
{% macro lag_screen_words(column) -%}
case {{ column }}
            when 'sentiment_mean' then 'mood'
            when 'net_sentiment' then 'net sentiment'
            when 'posts_count' then 'post volume'
            when 'engagement_count' then 'engagement'
            when 'share_of_voice_ratio' then 'share of voice'
            when 'units' then 'units sold'
            when 'orders_count' then 'orders'
            when 'reviews_count' then 'reviews'
            when 'rating_mean' then 'mean rating'
            else replace({{ column }}, '_', ' ')
        end
{%- endmacro %}

{#- A count of days with its noun. -#}
{% macro lag_screen_days(number) -%}
case when {{ number }} = 1 then '1 day' else {{ number }} || ' days' end
{%- endmacro %}

{#- "1 more day", "5 more days". -#}
{% macro lag_screen_more_days(number) -%}
case when {{ number }} = 1 then '1 more day' else {{ number }} || ' more days' end
{%- endmacro %}

{#- A q-value in words: never 0.000. -#}
{% macro lag_screen_q(value) -%}
case
    when {{ value }} < 0.001 then 'q < 0.001'
    else 'q = ' || format('{:.3f}', {{ value }})
end
{%- endmacro %}
