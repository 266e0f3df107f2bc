{#-
The band of what is usual, from the median and the median absolute deviation of
ln(1 + rows) of earlier days. Half of the usual and twice the usual are inside whatever
the spread is, and so is what chance does to a small count: 3.5 Poisson deviations.
`side` is -1 for its lower end, 1 for its upper end.
-#}
{% macro usual_band(median_log, deviation_log, side) -%}
    {%- set wide = 'greatest(3.5 * 1.4826 * ' ~ deviation_log ~ ', ln(2))' -%}
    {%- set usual = '(exp(' ~ median_log ~ ') - 1)' -%}
    {%- if side < 0 -%}
        greatest(
            least(
                exp({{ median_log }} - {{ wide }}) - 1,
                {{ usual }} - 3.5 * sqrt({{ usual }})
            ),
            0
        )
    {%- else -%}
        greatest(
            exp({{ median_log }} + {{ wide }}) - 1,
            {{ usual }} + 3.5 * sqrt({{ usual }}) + 3.5
        )
    {%- endif -%}
{%- endmacro %}
