{#- Words that look like plurals and are none. -#}
{% macro not_plural() -%}
    {{- return([
        'this', 'does', 'goes', 'always', 'perhaps', 'besides', 'lens', 'news', 'series',
        'gas', 'plus', 'less', 'yes', 'bias', 'atlas', 'canvas', 'christmas', 'ios',
        'macos', 'chaos', 'sometimes', 'afterwards', 'upwards', 'towards', 'whereas',
    ]) -}}
{%- endmacro %}

{#-
A word in the singular, without the sign of a hashtag: the S-stemmer of Harman (1991), which
joins what a reader would join and nothing else.
-#}
{% macro theme_word(word) -%}
    case
        when not ends_with({{ word }}, 's') or length({{ word }}) < 4
            then ltrim({{ word }}, '#')
        when list_contains({{ not_plural() }}, {{ word }}) then {{ word }}
        when ends_with({{ word }}, 'ies') and length({{ word }}) > 4
            then ltrim({{ word }}[:-4], '#') || 'y'
        when regexp_matches({{ word }}, '(?:ss|sh|ch|x|zz)es$')
            then ltrim({{ word }}[:-3], '#')
        when regexp_matches({{ word }}, '(?:ss|us|is|''s)$')
            then ltrim({{ word }}, '#')
        else ltrim({{ word }}[:-2], '#')
    end
{%- endmacro %}

{#- The words of a text as themes know them; endless ones, which are no words, stay out. -#}
{% macro theme_words(text) -%}
    list_transform(
        list_filter({{ words(text) }}, lambda word: length(word) <= 40),
        lambda word: {{ theme_word('word') }}
    )
{%- endmacro %}

{#- Words of the longest term of the lexicon; a test of the seed holds it to this. -#}
{% macro theme_phrase_words() -%}
    {{- return(6) -}}
{%- endmacro %}

{#- A text without the tags of HTML and of forums, and no longer than anybody reads. -#}
{% macro theme_plain(text) -%}
    regexp_replace(
        left({{ text }}, 20000),
        '<[^<>]{1,300}>|\[/?[a-zA-Z*][a-zA-Z0-9]{0,11}(?:=[^\[\]]{0,300})?\]',
        e' \n ',
        'g'
    )
{%- endmacro %}

{#- Where one opinion ends and the next begins: sentences, lines, and words of contrast. -#}
{% macro theme_boundary() -%}
    {{- return(
        "[.!?…;]+(?:\\s+|$)|[。！？]+|[\\r\\n]+"
        ~ "|(?i),?\\s+(?:but|however|although|though|whereas|unfortunately|sadly)\\b,?"
        ~ "|(?i),\\s*(?:yet|still|except|while)\\s"
    ) -}}
{%- endmacro %}

{#- A word after which a text often turns: its parts are scored one by one. -#}
{% macro has_contrast(text) -%}
    regexp_matches(
        {{ text }},
        '(?i)\b(?:but|however|although|though|whereas|yet|still|except|while|despite'
        || '|unfortunately|sadly|plus side|apart from|other than)\b'
    )
{%- endmacro %}

{#-
Words that say that something is good or bad and not what: they tell praise from complaint
by definition and are no theme.
-#}
{% macro opinion_words() -%}
    {%- set listed = (
        "good great best better nice amazing awesome excellent perfect"
        ~ " fantastic wonderful brilliant superb lovely beautiful enjoy enjoyed"
        ~ " enjoyable enjoying love loved loving fun funny cool fine okay decent"
        ~ " solid interesting favorite favourite happy glad recommend recommended"
        ~ " recommending recommendation worth masterpiece gem underrated overrated"
        ~ " bad worse worst terrible horrible awful poor poorly boring bored dull"
        ~ " lame garbage trash crap shit shitty suck sucked stupid dumb useless"
        ~ " pointless waste wasted wasting hate hated disappointing disappointed"
        ~ " disappointment disappoint annoying annoyed frustrating frustrated"
        ~ " frustration ridiculous pathetic mediocre meh ugly broken fail failed"
        ~ " failure regret avoid unfortunately sadly sad wrong issue problem"
        ~ " negative positive thumb review rating rate star well pretty really"
        ~ " quite actually honestly literally absolutely totally completely"
        ~ " definitely basically simply probably maybe bit lot lots little thing"
        ~ " stuff something anything nothing everything everyone anyone someone"
        ~ " nobody people guy man way kind sort fact reason point example case"
        ~ " part time day week month year hour minute today yesterday now ago"
        ~ " later still yet already again never always ever often sometimes once"
        ~ " twice first second last next new old big small long short many much"
        ~ " few thank thanks please hope hoping wish wanted want wants need needed"
        ~ " try tried trying think thought feel felt feeling seem look looking"
        ~ " looked say said saying tell told know knew see seen saw find found"
        ~ " take took come came go going gone went give gave given keep kept let"
        ~ " put use used using work worked working play played playing buy bought"
        ~ " buying pay paid purchase purchased product item game app company dude"
        ~ " lol omg wtf fuck fucking damn hell ass gonna wanna dont cant im ive"
        ~ " isnt doesnt wont didnt super highly truly simple easy hard real full"
        ~ " sure able bring enough stay start started end ended stop stopped done"
        ~ " right left back away around though rather almost instead far close"
        ~ " high low free one two three four five ten hundred thousand million per"
        ~ " etc also else yeah yep nope wow impressed impressive polished"
        ~ " delightful smooth charming relaxing addictive satisfying refreshing"
        ~ " cute stunning incredible outstanding helpful unique experience opinion"
        ~ " style overall entertaining entertained liked excited mess mean decided"
        ~ " ran run another extremely since unless cannot huge total together half"
        ~ " beyond barely overly forward early ready alone become became change"
        ~ " changed appreciate compare compared similar different difference"
        ~ " noticed future past actual otherwise couple set expecting expect"
        ~ " expected seriously absolute sorry matter complete sit state current"
        ~ " however despite throughout due near show along anymore soon forever"
        ~ " moment whole true exist add added adding built build mode type genre"
        ~ " fan potential alot spent spend perhaps room call called turn figure"
        ~ " side hand word remember forget continue happen happened happening"
        ~ " leave spot hit cause check guess care talk talking hold lose lost"
        ~ " learn stick worry suppose supposed understand miss missed missing help"
        ~ " live life person idea number kid follow open main certain possible"
        ~ " impossible less plus nearly mostly currently fairly somewhat somehow"
        ~ " anyway besides like likely hopefully nicely deep others whatever"
        ~ " either neither without tonne ton hasn't wasn't aren't couldn't haven't"
        ~ " hadn't weren't shouldn't ain't they'd he's concept eye piece fresh"
        ~ " honest effect twist extreme average sense attempt seemed sooner"
        ~ " nowhere somewhere finally shame ignored pleasure pleasant surprised"
        ~ " furious nonsense dead die died dying killed bother stand cut leaving"
        ~ " sold sell abandon dropped drop stuck fix fixed finish finishing ruined"
        ~ " ruin exactly easier quicker blame decision complain apparently"
        ~ " original switched mistake title remain mixed bag fair generous"
        ~ " furthermore afraid"
    ) -%}
    {{- return(listed.split(' ')) -}}
{%- endmacro %}

{#- Where a term of one or two such words stands in a text, in the plural or not. -#}
{% macro theme_pattern(term) -%}
    '\b'
    || regexp_replace(
        regexp_replace(regexp_escape({{ term }}), '\\? ', '(?:s|es)?\W+'),
        'y$',
        '(?:y|ie)'
    )
    || '(?:s|es)?\b'
{%- endmacro %}

{#- One automaton for all words of opinion: a list of them costs four times as much. -#}
{% macro theme_opinion_pattern() -%}
    {{- return('(?:^| )(?:' ~ opinion_words() | join('|') ~ ')(?: |$)') -}}
{%- endmacro %}
