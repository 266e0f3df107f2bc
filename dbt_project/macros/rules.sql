{#-
Limits of the flags of int_posts__cleaned, in one place. A target's settings may move any
of them; the reason beside each flag names the rule.
-#}
{% macro rule(name) -%}
    {%- set limits = {
        'duplicate_authors_min': 3,
        'duplicate_words_min': 6,
        'spam_hashtags_min': 8,
        'spam_mentions_min': 8,
        'spam_cashtags_min': 6,
        'spam_products_min': 5,
        'bot_template_posts_min': 5,
        'bot_template_share_min': 0.5,
        'bot_posts_per_day_min': 50,
        'bot_new_account_days_max': 30,
        'bot_new_account_posts_per_day_min': 15,
        'bot_lifetime_posts_per_day_min': 200,
    } -%}
    {{- return(setting_number(name, limits[name])) -}}
{%- endmacro %}

{#- Phrases that ask for a click or a follow; with a link in the post they make it spam. -#}
{% macro has_giveaway_phrase(text) -%}
    regexp_matches(
        lower({{ text }}),
        '\b(?:give-?aways?|air-?drops?'
        || '|free (?:gifts?|followers|crypto|btc|bitcoin|money|cash|gift cards?|vouchers?)'
        || '|win (?:a|an|one|1|free|big|up to|\$)'
        || '|(?:claim|get|grab) (?:your|my|a) (?:free|prize|reward|bonus|gift|voucher)'
        || '|click (?:here|below|the link|on the link)|link in (?:my )?bio'
        || '|limited[- ]time offer|(?:promo|discount|referral|invite|coupon) codes?'
        || '|(?:make|earn) (?:\$|money|cash|up to|[0-9])|guaranteed (?:profits?|returns?|win)'
        || '|(?:follow|like) (?:(?:me|us) )?(?:and|&|&amp;|\+) (?:rt|retweet|repost|share|like)'
        || '|follow back|(?:and|to) win\b|double your|100% (?:free|profit|guaranteed)'
        || '|(?:whatsapp|telegram) (?:me|us|group|channel|now)|dm (?:me|us)\b'
        || '|act now|sign up now|buy followers|work from home|passive income)'
    )
{%- endmacro %}

{#- How often one character stands in a text: far cheaper than a regular expression. -#}
{% macro count_of_character(text, character) -%}
    length({{ text }}) - length(replace({{ text }}, '{{ character }}', ''))
{%- endmacro %}

{#- A platform's language code as ISO 639-1; null where the platform could not tell. -#}
{% macro known_language(code) -%}
    case
        when {{ code }} in
            ('und', 'zxx', 'art', 'mul', 'qam', 'qct', 'qht', 'qme', 'qst')
            then null
        when {{ code }} = 'in' then 'id'
        when {{ code }} = 'iw' then 'he'
        when {{ code }} = 'ji' then 'yi'
        else nullif(split_part(replace({{ code }}, '_', '-'), '-', 1), '')
    end
{%- endmacro %}
