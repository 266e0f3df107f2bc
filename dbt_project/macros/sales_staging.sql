{#-
Raw records of a stream as the body of a CTE: those that were not forgotten and, in an
incremental run, that came with a new load. Use with a unique_key made of the content, so
that what was fetched twice is one row and a refresh ends where the increments did.
-#}
{% macro remembered_records(source_name, stream) %}
    select
        record_id,
        payload,
        fetched_at,
        is_simulated,
        source_file,
        line_no,
        run_id,
        load_id,
        loaded_at,
    from {{ source(source_name, stream) }}
    where
        record_id not in ({{ forgotten_records(source_name, stream) }})
        {%- if is_incremental() %}
        and load_id > (select coalesce(max(_load_id), 0) from {{ this }})
        {%- endif %}
{% endmacro %}

{#- An id within its shop: two shops may count alike. -#}
{% macro of_shop(shop_name, id) -%}
    coalesce({{ shop_name }} || '|', '') || {{ id }}
{%- endmacro %}

{#- Money of a record: null where it is no number or 10^12 and more, which would overflow. -#}
{% macro money_of(amount) -%}
    cast(try_cast({{ amount }} as decimal(16, 4)) as decimal(18, 4))
{%- endmacro %}

{#- Units of a record: null where they are no number or 10^9 and more. -#}
{% macro quantity_of(number) -%}
    cast(try_cast({{ number }} as decimal(12, 3)) as decimal(18, 3))
{%- endmacro %}

{#- The same where units are whole. -#}
{% macro whole_quantity_of(number) -%}
    case when {{ number }} between -999999999 and 999999999 then {{ number }} end
{%- endmacro %}
