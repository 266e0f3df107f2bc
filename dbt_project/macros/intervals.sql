{#-
An end of the 95 % interval of the difference of two estimates of different records, from
their own: the square-and-add rule of Newcombe (1998), MOVER of Zou & Donner (2008). It
keeps its level where a share is near 0 or 1, which estimate +- 1.96 standard errors does
not. `correlation` is that of the two estimates, 0 where they share no record.
-#}
{% macro difference_end(
    first, first_low, first_high, second, second_low, second_high, side, correlation='0'
) -%}
    {%- if side < 0 -%}
        {%- set one = '(' ~ first ~ ' - ' ~ first_low ~ ')' -%}
        {%- set other = '(' ~ second_high ~ ' - ' ~ second ~ ')' -%}
    {%- else -%}
        {%- set one = '(' ~ first_high ~ ' - ' ~ first ~ ')' -%}
        {%- set other = '(' ~ second ~ ' - ' ~ second_low ~ ')' -%}
    {%- endif -%}
    {{ first }} - {{ second }} {{ '-' if side < 0 else '+' }} sqrt(greatest(
        {{ one }} * {{ one }} + {{ other }} * {{ other }}
        - 2 * {{ correlation }} * {{ one }} * {{ other }},
        0
    ))
{%- endmacro %}

{#- Correlation of the shares of two of several classes in the same sample: below 0. -#}
{% macro class_correlation(first, second) -%}
    coalesce(
        -sqrt(
            {{ first }} * {{ second }}
            / nullif((1 - {{ first }}) * (1 - {{ second }}), 0)
        ),
        case when {{ first }} = 0 or {{ second }} = 0 then 0 else -1 end
    )
{%- endmacro %}

{#-
The two-sided p-value that belongs to a 95 % interval of a difference: at most .05 just
where the interval excludes 0. The model is a table: the function is Python's.
-#}
{% macro p_of_difference(difference, low, high) -%}
    student_t_two_sided_p(
        {{ difference }} * 1.959963984540054
        / nullif(
            case
                when {{ difference }} > 0 then {{ difference }} - {{ low }}
                when {{ difference }} < 0 then {{ high }} - {{ difference }}
                when {{ low }} is not null then 1
            end,
            0
        ),
        1e9
    )
{%- endmacro %}

{#-
Rows with `q_value` beside `p_value`: Benjamini & Hochberg (1995) within `family`. Rows
without a p-value are no question asked; `key` breaks ties.
-#}
{% macro with_q_values(rows, family, key) -%}
    select
        *,
        case
            when p_value is not null
                then
                    least(1.0, min(p_value * question_count / question_rank) over (
                        partition by {{ family }}, p_value is null
                        order by question_rank desc
                    ))
        end as q_value,
    from (
        select
            *,
            count(p_value) over (partition by {{ family }}) as question_count,
            row_number() over (
                partition by {{ family }}, p_value is null
                order by p_value asc, {{ key }} asc
            ) as question_rank,
        from {{ rows }}
    ) as ranked
{%- endmacro %}

{#-
As many independent records as `count` records of authors are worth, from the sum of the
squares of what each author wrote: Kish (1965). It takes an author's records for one and
the same opinion, which is the worst that can be.
-#}
{% macro effective_count(count, square_sum) -%}
    {{ count }} * {{ count }} / nullif({{ square_sum }}, 0)
{%- endmacro %}
