{#- An identity that holds on every row; a row where it is unknown (null) passes. -#}
{% test is_true(model, expression, column_name=none) %}
    select *
    from {{ model }}
    where not ({{ expression }})
{% endtest %}
