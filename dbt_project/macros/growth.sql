{#-
The daily series that months are made of: column of int_daily__signals, how a month sums
it up (total or mean of its days), and which source it is of. Rating and positive share
are of records, not of days.
-#}
{% macro growth_metrics() -%}
    {{- return([
        {
            'metric': 'units',
            'column': 'units',
            'kind': 'total',
            'family': 'sales',
            'is_count': true,
        },
        {
            'metric': 'net_sales',
            'column': 'net_sales',
            'kind': 'total',
            'family': 'sales',
            'is_count': false,
        },
        {
            'metric': 'orders_count',
            'column': 'orders_count',
            'kind': 'total',
            'family': 'sales',
            'is_count': true,
        },
        {
            'metric': 'reviews_count',
            'column': 'reviews_count',
            'kind': 'total',
            'family': 'reviews',
            'is_count': true,
        },
        {
            'metric': 'search_interest',
            'column': 'search_interest',
            'kind': 'mean',
            'family': 'search',
            'is_count': false,
        },
        {
            'metric': 'posts_count',
            'column': 'posts_count',
            'kind': 'total',
            'family': 'social',
            'is_count': true,
        },
        {
            'metric': 'authors_per_day',
            'column': 'authors_count',
            'kind': 'mean',
            'family': 'social',
            'is_count': true,
        },
    ]) -}}
{%- endmacro %}

{#- A month with fewer observed days has no interval; udfs.lead_lag.growth says the same. -#}
{% macro growth_days_min() -%}
    {{- return(14) -}}
{%- endmacro %}

{#- As many independent ratings or opinions a month needs at least for an interval. -#}
{% macro growth_records_min() -%}
    {{- return(10) -}}
{%- endmacro %}
