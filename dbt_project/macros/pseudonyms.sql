{#-
Authors as readers see them: by name, or, with privacy.pseudonymise_authors, under a keyed
hash that is the same for the same author of a platform in every table. Where it stands,
below it names are as received (raw, staging: the private work file) and above it there are
pseudonyms only. The key is read by the function, so it stands in no SQL.
-#}

{#- A column of an author; `keyed_by` is what tells authors of a platform apart. -#}
{% macro author_shown(column, keyed_by=none) -%}
    {%- if setting_boolean('pseudonymise_authors') -%}
        case
            when {{ column }} is not null
                then pseudonym(platform || ':' || {{ keyed_by or column }})
        end
    {%- else -%}
        {{ column }}
    {%- endif -%}
{%- endmacro %}

{#-
An address; null where it would name an author who has a pseudonym. Reddit writes the title
into its addresses, and leads to the post without it as well: where texts are not published,
the title is left out.
-#}
{% macro url_shown(address, author_columns) -%}
    {%- if setting_boolean('publish_texts', true) -%}
        {%- set column = address -%}
    {%- else -%}
        {%- set column = (
            "regexp_replace(" ~ address
            ~ ", '(reddit[.]com/.*/?comments/[^/?#]+/)[^/?#]+', '\\1_')"
        ) -%}
    {%- endif -%}
    {%- if setting_boolean('pseudonymise_authors') -%}
        case
            when
                {%- for author in author_columns %}
                coalesce(contains(lower({{ column }}), lower({{ author }})), false)
                {{ 'or' if not loop.last }}
                {%- endfor %}
                then null
            else {{ column }}
        end
    {%- else -%}
        {{ column }}
    {%- endif -%}
{%- endmacro %}
