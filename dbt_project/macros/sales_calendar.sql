{#- Whether a business day ends after the cut-off: its records are not complete then. -#}
{% macro is_cut_off(day) -%}
    coalesce(
        {{ cutoff_at() }} < timezone(
            {{ sql_text(business_timezone()) }}, cast({{ day }} + 1 as timestamp)
        ) - interval 1 second,
        false
    )
{%- endmacro %}

{#- Whether a day lies within the target's first_day and last_day, where they are set. -#}
{% macro is_within_target(day) -%}
    {%- set first_day = setting('first_day', '1990-01-01') -%}
    {%- set last_day = setting('last_day') -%}
    {{ day }} >= cast({{ sql_text(first_day) }} as date)
    {%- if last_day is not none %}
    and {{ day }} <= cast({{ sql_text(last_day) }} as date)
    {%- endif -%}
{%- endmacro %}
