{#- Every declared stream, as (source, stream). -#}
{% macro ops_streams() -%}
    {{- return([
        ('x', 'posts'),
        ('x', 'users'),
        ('reddit', 'submissions'),
        ('shopify', 'orders'),
        ('storefront', 'reviews'),
        ('storefront', 'calendar_events'),
        ('google_trends', 'interest'),
        ('datasets', 'posts'),
        ('datasets', 'sales'),
        ('datasets', 'reviews'),
        ('datasets', 'metrics'),
        ('hackernews', 'hits'),
        ('hackernews', 'items'),
        ('rss', 'entries'),
        ('reddit', 'comments'),
        ('reddit', 'feed_entries'),
        ('woocommerce', 'orders'),
        ('woocommerce', 'products'),
        ('woocommerce', 'reviews'),
        ('github', 'repositories'),
        ('github', 'issue_counts'),
        ('github', 'releases'),
        ('github', 'stars'),
        ('shopify', 'products'),
    ]) -}}
{%- endmacro %}
