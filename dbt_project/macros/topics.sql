{#- Fewer people than this make no topic; udfs.lead_lag.bursts says the same. -#}
{% macro topic_authors_min() -%}
    {{- return(5) -}}
{%- endmacro %}

{#- English function words: they fill bigrams and say nothing. Of other languages the test
    of emerging terms takes care: such words do not rise from one week to the next. -#}
{% macro stop_words() -%}
    {%- set listed = (
        "a about after again all also am an and any are aren't as at be because been before"
        ~ " being but by can can't could couldn't did didn't do does doesn't doing don't"
        ~ " down each else even ever every few for from get gets getting got had has have"
        ~ " haven't having he her here hers him his how i i'd i'll i'm i've if in into is"
        ~ " isn't it its it's i'm just least less let like lot made make makes many may me"
        ~ " might more most much my myself no nor not now of off on one only onto or other"
        ~ " our ours out over own really same see she should so some something still such"
        ~ " than that that's the their theirs them then there there's these they they're"
        ~ " this those though through to too two under until up upon us very via was"
        ~ " wasn't we we're we've well were what when where which while who whom whose why"
        ~ " will with within without won't would wouldn't yes yet you your you're you've"
        ~ " yours amp rt"
    ) -%}
    {{- return(listed.split(' ')) -}}
{%- endmacro %}

{#-
The words of a text that can be part of a topic, in their order, null in the place of any
other: function words, links, handles, mail addresses, numbers. One automaton for all
stop words: a list of them costs four times as much.
-#}
{% macro content_words(words) -%}
    {%- set unwanted = (
        '^(?:' ~ stop_words() | join('|') ~ ')$|^@|^https?:|^www[.]|.[@.]'
    ) -%}
    list_transform(
        {{ words }},
        lambda word: case
            when
                regexp_matches(word, '\p{L}')
                and not regexp_matches(word, {{ sql_text(unwanted) }})
                then word
        end
    )
{%- endmacro %}

{#-
What a post can be counted under, each once: its content words of three letters or more,
and pairs of neighbours, which are what words are in scripts that write no spaces.
Hashtags and cashtags stand for themselves.
-#}
{% macro topic_terms(content_words) -%}
    list_distinct(
        list_concat(
            list_filter({{ content_words }}, lambda word: length(word) > 2),
            list_transform(
                list_filter(
                    list_zip({{ content_words }}, {{ content_words }}[2:]),
                    lambda pair: pair[1] != pair[2]
                    and not starts_with(pair[1], '#')
                    and not starts_with(pair[1], '$')
                    and not starts_with(pair[2], '#')
                    and not starts_with(pair[2], '$')
                ),
                lambda pair: pair[1] || ' ' || pair[2]
            )
        )
    )
{%- endmacro %}

{#- What sort of topic a term is, by its sign. -#}
{% macro topic_kind(term) -%}
    case
        when starts_with({{ term }}, '#') then 'hashtag'
        when starts_with({{ term }}, '$') then 'cashtag'
        when contains({{ term }}, ' ') then 'bigram'
        else 'word'
    end
{%- endmacro %}

{#- How many follow an author, in powers of ten. -#}
{% macro follower_tier(followers_count) -%}
    case
        when {{ followers_count }} is null then 'unknown'
        when {{ followers_count }} < 100 then 'under_100'
        when {{ followers_count }} < 1000 then '100_to_1k'
        when {{ followers_count }} < 10000 then '1k_to_10k'
        when {{ followers_count }} < 100000 then '10k_to_100k'
        when {{ followers_count }} < 1000000 then '100k_to_1m'
        else 'over_1m'
    end
{%- endmacro %}

{#- Fewer authors lend no mean; udfs.lead_lag.influence says the same. -#}
{% macro tier_authors_min() -%}
    {{- return(10) -}}
{%- endmacro %}

{#- Place of a tier, null for the unknown one, which is next to none. -#}
{% macro follower_tier_rank(follower_tier) -%}
    list_position(
        ['under_100', '100_to_1k', '1k_to_10k', '10k_to_100k', '100k_to_1m', 'over_1m'],
        {{ follower_tier }}
    )
{%- endmacro %}

{#- A post's author; of an unknown author nothing is known, not that two posts are theirs. -#}
{% macro author_key(posts) -%}
    coalesce({{ posts }}.platform || ':' || {{ posts }}.author_id, {{ posts }}.post_key)
{%- endmacro %}

{#-
An end of Wilson's 95 % interval of a share (Wilson 1927), `side` -1 or 1; null without
any trial.
-#}
{% macro wilson(share, trials, side) -%}
    {%- set z = 1.959963984540054 -%}
    {#- greatest() and least() pass over null: without trials there is no bound. -#}
    case when {{ trials }} > 0 and {{ share }} is not null then
    least(greatest(
        (
            {{ share }} + {{ z * z / 2 }} / {{ trials }}
            {{ '+' if side > 0 else '-' }} {{ z }} * sqrt(
                greatest({{ share }} * (1 - {{ share }}), 0) / {{ trials }}
                + {{ z * z / 4 }} / ({{ trials }} * {{ trials }})
            )
        ) / (1 + {{ z * z }} / {{ trials }}),
        0
    ), 1)
    end
{%- endmacro %}

{#- Back from the scale of a series; see lag_screen_scaled. -#}
{% macro unscaled(value, scale) -%}
case {{ scale }}
    when 'log' then sign({{ value }}) * (exp(abs({{ value }})) - 1)
    when 'sqrt'
        then
            sign({{ value }} - sqrt(0.375))
            * ((abs({{ value }} - sqrt(0.375)) + sqrt(0.375)) ** 2 - 0.375)
    else {{ value }}
end
{%- endmacro %}
