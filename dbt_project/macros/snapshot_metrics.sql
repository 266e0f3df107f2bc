{#-
What is counted again and again: (column, metric of the count as of a day, metric of its
gain from the day before). A count that stands says how large something has become, and
anything that grows goes along with anything else that grows: only gains are outcomes.
-#}
{% macro repository_metrics() -%}
    {{- return([
        ('stars_count', 'github_stars', 'github_new_stars', 'stars'),
        ('forks_count', 'github_forks', 'github_new_forks', 'forks'),
        ('watchers_count', 'github_watchers', 'github_new_watchers', 'watchers'),
        ('open_issues_count', 'github_open_issues', 'github_open_issues_change', 'issues'),
    ]) -}}
{%- endmacro %}

{#- The same of launches at Product Hunt, of all launches of a product together. -#}
{% macro launch_metrics() -%}
    {{- return([
        ('votes_count', 'launch_votes', 'launch_new_votes', 'votes'),
        ('comments_count', 'launch_comments', 'launch_new_comments', 'comments'),
    ]) -}}
{%- endmacro %}

{#- Metrics that are counts as of a day. -#}
{% macro snapshot_levels() -%}
    {%- set levels = [] -%}
    {%- for column, level, gain, unit in repository_metrics() + launch_metrics() -%}
        {%- do levels.append(level) -%}
    {%- endfor -%}
    {{- return(levels) -}}
{%- endmacro %}
