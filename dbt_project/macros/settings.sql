{#-
What SQL needs of a target's settings. The loader writes them into raw.settings, so that
`dbt build` by hand and `social-signals build` read the same values. A dbt variable of
the same name goes first: that is how a test or a rerun of an old day sets one.
-#}

{#- The value of a setting as text, or `default` where it is unset. -#}
{% macro setting(key, default=none) -%}
    {%- if var(key, none) is not none -%}
        {{- return(var(key) | string) -}}
    {%- endif -%}
    {%- if not execute -%}
        {{- return(default) -}}
    {%- endif -%}
    {%- set relation = adapter.get_relation(
        database=target.database, schema='raw', identifier='settings'
    ) -%}
    {%- if relation is none -%}
        {{- return(default) -}}
    {%- endif -%}
    {%- set found = run_query(
        "select max(value) from " ~ relation ~ " where key = " ~ sql_text(key)
    ) -%}
    {%- set value = found.columns[0].values()[0] -%}
    {{- return(default if value is none or value == '' else value) -}}
{%- endmacro %}

{#- The value of a setting as a number; anything else stops the build by name. -#}
{% macro setting_number(key, default) -%}
    {%- set value = setting(key, default) | string -%}
    {%- if not modules.re.match('^-?[0-9]+([.][0-9]+)?$', value) -%}
        {{- exceptions.raise_compiler_error(
            "setting " ~ key ~ " must be a number, not " ~ value
        ) -}}
    {%- endif -%}
    {{- return(value) -}}
{%- endmacro %}

{#- true or false. -#}
{% macro setting_boolean(key, default=false) -%}
    {%- set value = setting(key, default) | string | lower -%}
    {{- return(value in ('true', '1', 'yes')) -}}
{%- endmacro %}

{#- A quoted SQL literal. -#}
{% macro sql_text(value) -%}
    '{{ value | string | replace("'", "''") }}'
{%- endmacro %}

{#-
The newest instant that counts, as a SQL expression. Nothing in the project asks for the
time of day, so a build can be repeated: without the setting it is the last load.
-#}
{% macro cutoff_at() -%}
    {%- set value = setting('cutoff_at') -%}
    {%- if value is not none -%}
        cast({{ sql_text(value) }} as timestamptz)
    {%- else -%}
        (select max(loaded_at) from {{ source('pipeline', 'load_log') }})
    {%- endif -%}
{%- endmacro %}

{#- The name of the zone in which the shop counts its days. -#}
{% macro business_timezone() -%}
    {{- return(setting('business_timezone', 'UTC')) -}}
{%- endmacro %}

{#- The business day on which an instant falls. -#}
{% macro business_date(instant) -%}
    cast(timezone({{ sql_text(business_timezone()) }}, {{ instant }}) as date)
{%- endmacro %}
