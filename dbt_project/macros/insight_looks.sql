{#-
Days for which the same claim must have stood at every look before it is made, unless this
is the first look at its product; STANDING_DAYS in udfs/lead_lag/multiplicity.py.
-#}
{% macro standing_days() -%} 28 {%- endmacro %}

{#- Days after the first claim from which it counts as confirmed. -#}
{% macro confirmation_days() -%} 28 {%- endmacro %}

{#- The q-value that a verdict rests on: of its direction, of both the larger. -#}
{% macro q_of_verdict(verdict, q_value, reverse_q_value) -%}
case {{ verdict }}
            when 'social_leads' then {{ q_value }}
            when 'sales_lead' then {{ reverse_q_value }}
            when 'feedback' then greatest({{ q_value }}, {{ reverse_q_value }})
        end
{%- endmacro %}

{#- A q-value in words as on the cards: .03, .004, never 0. -#}
{% macro q_in_words(value) -%}
case
                when {{ value }} < 0.001 then 'q < .001'
                when {{ value }} >= 0.995 then 'q = 1'
                when {{ value }} >= 0.0095
                    then 'q = ' || substr(format('{:.2f}', {{ value }}), 2)
                else 'q = ' || substr(format('{:.3f}', {{ value }}), 2)
            end
{%- endmacro %}

{#-
The ledger of the published file, attached, for a work file that has none: whoever
deletes the work file loses no look. None where nothing was published or this is no file.
-#}
{% macro published_ledger() -%}
    {%- if not execute -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set folders = run_query("
        select regexp_replace(path, '[^/\\\\]*$', '') from duckdb_databases()
        where database_name = current_database() and path is not null
    ") -%}
    {%- if folders.rows | length == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set found = run_query(
        "select file from glob("
        ~ sql_text(folders.rows[0][0] ~ 'published.duckdb') ~ ")"
    ) -%}
    {%- if found.rows | length == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- do run_query(
        "attach if not exists " ~ sql_text(found.rows[0][0])
        ~ " as ledger_before (read_only)"
    ) -%}
    {%- set tables = run_query("
        select schema_name from duckdb_tables()
        where database_name = 'ledger_before' and table_name = 'mart_insight_ledger'
    ") -%}
    {%- if tables.rows | length == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return('ledger_before.' ~ tables.rows[0][0] ~ '.mart_insight_ledger') -}}
{%- endmacro %}

{#-
The question to the published file that returns the evidence of one card, as a SQL text.
Needs product_text, signal, metric_text and look_date of the card.
-#}
{% macro insight_evidence_sql() -%}
'select l.gate, l.reason, s.what_is_missing, s.days_observed, s.days_open, '
        || 's.days_needed, '
        || 's.missing_day_ratio, s.posts_per_day, s.units_per_day, '
        || 'k.verdict_today, nullif(l.n_days, 0) as n_days, l.lag_days, '
        || 'l.width_days, l.p_value, l.q_value, l.reverse_lag_days, '
        || 'l.reverse_q_value, l.products_tested, e.uplift_ratio, '
        || 'e.uplift_low_ratio, e.uplift_high_ratio, '
        || 'e.minimum_detectable_effect_ratio, e.reliability_ratio, e.signal_sd, '
        || 'e.signal_sd_corrected, e.percentage_reason, '
        || '(select max(c.stability_ratio) from marts.mart_link_stability as c '
        || 'where c.product_id = l.product_id and c.signal = l.signal '
        || 'and c.metric = l.metric) as stability_ratio, '
        || '(select bool_or(f.is_predictive) filter (where f.is_tested) '
        || 'from marts.mart_skill as f where f.product_id = l.product_id '
        || 'and f.signal = l.signal and f.metric = l.metric) as is_predictive, '
        || 'k.look_date, '
        || 'k.status as look_status, k.reason as look_reason, '
        || 'k.first_claimed_date, l.is_primary '
        || 'from marts.mart_lead_lag as l '
        || 'join marts.mart_sufficiency as s using (product_id, signal, metric) '
        || 'left join marts.mart_effect as e using (product_id, signal, metric) '
        || 'left join marts.mart_insight_ledger as k '
        || 'on k.product_id = l.product_id and k.signal = l.signal '
        || 'and k.metric = l.metric and k.look_date = date ''' || look_date || ''' '
        || 'where l.product_id = ''' || product_text || ''' '
        || 'and l.signal = ''' || signal || ''' '
        || 'and l.metric = ''' || metric_text || ''''
{%- endmacro %}
