{#- Hours after which a source counts as late, or (`level` error) stale, as its yml says. -#}
{% macro declared_hours(source_name, level) -%}
    {%- set hours = {'minute': 1 / 60, 'hour': 1, 'day': 24} -%}
    {%- set found = namespace(value=none) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == source_name -%}
            {%- set after = (node.freshness or {}).get(level ~ '_after') or {} -%}
            {%- if after.get('count') -%}
                {%- set found.value = after['count'] * hours[after['period'] | string] -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(found.value) -}}
{%- endmacro %}
