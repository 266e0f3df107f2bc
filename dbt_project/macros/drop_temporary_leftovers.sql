{#- Python models leave `…__dbt_tmp<20 digits>` tables behind: they go when the run ends. -#}
{% macro drop_temporary_leftovers() -%}
    {%- if execute -%}
        {%- set leftovers = run_query("
            select format('drop table if exists \"{}\".\"{}\"', schema_name, table_name)
            from duckdb_tables()
            where database_name = current_database()
              and regexp_full_match(table_name, '.*__dbt_tmp[0-9]*')
        ") -%}
        {%- for statement in leftovers.columns[0].values() -%}
            {%- do run_query(statement) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
