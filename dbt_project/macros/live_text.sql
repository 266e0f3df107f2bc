{#-
The words of a piece of HTML, as a SQL expression: blocks become line breaks, other marks
a blank, scripts and comments go with what they hold. Entities are left to the normaliser,
but for those that would look like marks once decoded there.
-#}
{% macro words_of_html(html) -%}
    trim(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(
                        {{ html }},
                        '(?is)<(script|style)\b.*?</(script|style)\s*>|<!--.*?-->',
                        ' ',
                        'g'
                    ),
                    '(?i)<(/?p|br|/?div|/?li|/?h[1-6]|/?blockquote|/?tr)\b[^<>]*>',
                    e'\n',
                    'g'
                ),
                '</?[A-Za-z][^<>]*>',
                '',
                'g'
            ),
            e'[ \t]*\n\\s*',
            e'\n',
            'g'
        ),
        e' \t\r\n'
    )
{%- endmacro %}
