{#-
dbt's own macro, without its copy of a seed's SQL under target/run/. That copy takes the
seed's path: a catalogue outside the project would be overwritten by it.
-#}
{% macro noop_statement(
    name=none, message=none, code=none, rows_affected=none, res=none
) -%}
    {%- set sql = caller() -%}
    {%- if name is not none -%}
        {{- store_raw_result(
            name,
            message=message,
            code=code,
            rows_affected=rows_affected,
            agate_table=res
        ) -}}
    {%- endif -%}
{%- endmacro %}
