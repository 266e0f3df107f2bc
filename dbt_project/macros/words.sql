{#-
Texts as lists of words, for matching terms. Words are lower-case runs of letters, digits,
marks and underscores, with apostrophes inside; a possessive 's is a word of its own. In
scripts without spaces each character is a word; a run of Katakana, which is how Japanese
writes most brands, is one. A leading #, $ or @ stays on its word. A link and an e-mail
address are one word each, so nothing inside them matches.
-#}
{% macro words(text) -%}
    {%- set unspaced = '\\p{Han}\\p{Hiragana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}' -%}
    {%- set letter = (
        '(?:[^\\P{L}' ~ unspaced ~ '\\p{Katakana}]|[\\p{N}\\p{M}_])'
    ) -%}
    {%- set pattern = (
        '(?:https?://|www[.])\\S+'
        ~ '|[\\w.+-]+@[\\w-]+[.][\\w.-]+'
        ~ '|[#$@]?(?:[' ~ unspaced ~ ']|[\\p{Katakana}ー]+'
        ~ '|' ~ letter ~ "+(?:'" ~ letter ~ '+)*)'
    ) -%}
    regexp_extract_all({{ plain_signs(text) }}, {{ sql_text(pattern) }})
{%- endmacro %}

{#-
Lower case, composed; entities and the look-alikes of signs in their plain form, a
possessive apart from its word. Most texts need nothing but lower case, and looking costs
a tenth of replacing.
-#}
{% macro plain_signs(text) -%}
    {%- set composed -%}
        case
            when regexp_matches({{ text }}, '[\p{M}\x{1100}-\x{11ff}\x{2126}\x{212a}]')
                then nfc_normalize({{ text }})
            else {{ text }}
        end
    {%- endset -%}
    {%- set lower_text = 'lower(' ~ composed ~ ')' -%}
    case
        when regexp_matches({{ text }}, '[’''&＃＠＄]')
            then regexp_replace(
                {{ replace_all(lower_text, [
                    ('’', "'"), ('＃', '#'), ('＠', '@'), ('＄', '$'),
                    ('&lt;', '<'), ('&gt;', '>'), ('&#39;', "'"),
                    ('&#x200b;', ' '), ('&amp;', '&'),
                ]) }},
                '''s\b',
                ' ʼs',
                'g'
            )
        else {{ lower_text }}
    end
{%- endmacro %}

{#- A text with each of `replacements`, pairs of old and new, made in order. -#}
{% macro replace_all(text, replacements) -%}
    {%- set nested = namespace(sql=text) -%}
    {%- for old, new in replacements -%}
        {%- set nested.sql = (
            'replace(' ~ nested.sql ~ ', ' ~ sql_text(old) ~ ', ' ~ sql_text(new) ~ ')'
        ) -%}
    {%- endfor -%}
    {{- return(nested.sql) -}}
{%- endmacro %}

{#-
The words of the catalogue's longest term, at most eight: longer ones match nothing, and a
test names them. Known once int_terms__phrases is built; until then it is eight.
-#}
{% macro longest_term_words() -%}
    {%- set longest = namespace(words=8) -%}
    {%- if execute -%}
        {%- set phrases = load_relation(ref('int_terms__phrases')) -%}
        {%- if phrases is not none -%}
            {%- set found = run_query(
                'select least(greatest(max(word_count), 1), 8) from ' ~ phrases
            ) -%}
            {%- set longest.words = found.columns[0].values()[0] or 1 -%}
        {%- endif -%}
    {%- endif -%}
    {{- return(longest.words) -}}
{%- endmacro %}
