{#- The shops that are asked, each with stagings of one shape. -#}
{% macro shops() -%}
    {{- return(['shopify', 'woocommerce']) -}}
{%- endmacro %}

{#-
The rows of one staging of every shop, as the body of a CTE. What only one platform says
stands in `only`: column, the platform and its type.
-#}
{% macro of_every_shop(stream, columns, only=[]) -%}
    {%- for shop in shops() %}
    select
        '{{ shop }}' as source_name,
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        {%- for column, owner, type in only %}
        {{ column if owner == shop else 'cast(null as ' ~ type ~ ')' }} as {{ column }},
        {%- endfor %}
    from {{ ref('stg_' ~ shop ~ '__' ~ stream) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#-
What was sold, as one text: lines of the same shop that agree in SKU, product and variant
are one item, whatever the case of the SKU.
-#}
{% macro sold_item_key(source_name, shop_name, sku, product, variant) -%}
    md5(
            concat_ws(
                '|',
                {{ source_name }},
                coalesce({{ shop_name }}, ''),
                coalesce(lower(trim({{ sku }})), ''),
                coalesce({{ product }}, ''),
                coalesce({{ variant }}, '')
            )
        )
{%- endmacro %}

{#- A key of an id that its staging has told from those of other shops, or else here. -#}
{% macro key_of_shop(id) -%}
source_name
            || '|'
            || case
                when shop_name is null or starts_with({{ id }}, shop_name || '|') then ''
                else shop_name || '|'
            end
            || {{ id }}
{%- endmacro %}

{#-
What falls to a line of an amount that a file states for its whole order, by the value
of the line. Told by the sums up to the line, so that whole coins add up to the whole.
-#}
{% macro share_of_order(amount) -%}
{{ in_whole_money(amount ~ ' * base_up_to / nullif(base_of_order, 0)', 'digits') }}
            - {{ in_whole_money(
                amount ~ ' * (base_up_to - base) / nullif(base_of_order, 0)', 'digits'
            ) }}
{%- endmacro %}
