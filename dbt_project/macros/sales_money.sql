{#-
Rows (currency, exchange_rate) of the setting `exchange_rates`, "EUR:1.08,GBP:1.27":
what one unit of the currency is worth in the reporting currency.
-#}
{% macro exchange_rate_rows() -%}
    {%- set given = (setting('exchange_rates', '') or '') | string -%}
    {%- set rows = [] -%}
    {%- for part in given.split(',') if part | trim -%}
        {%- set found = modules.re.match(
            '^\s*([A-Za-z]{3})\s*[:=]\s*([0-9]+(?:[.][0-9]+)?)\s*$', part
        ) -%}
        {%- if not found -%}
            {{- exceptions.raise_compiler_error(
                "setting exchange_rates holds '" ~ part ~ "'; write pairs such as "
                ~ "EUR:1.08, GBP:1.27 (one EUR is worth 1.08 of the reporting currency)"
            ) -}}
        {%- endif -%}
        {%- do rows.append((found.group(1) | upper, found.group(2))) -%}
    {%- endfor -%}
    {%- if rows -%}
    select
        given.currency,
        cast(given.exchange_rate as decimal(18, 8)) as exchange_rate,
    from (
        values
        {%- for currency, rate in rows %}
        ({{ sql_text(currency) }}, {{ rate }}){{ "," if not loop.last }}
        {%- endfor %}
    ) as given (currency, exchange_rate)
    {%- else -%}
    select
        cast(null as varchar) as currency,
        cast(null as decimal(18, 8)) as exchange_rate,
    where false
    {%- endif -%}
{%- endmacro %}

{#- ISO weekdays (1 Monday … 7 Sunday) on which the shop is closed, as a SQL list. -#}
{% macro closed_weekdays() -%}
    {%- set given = (setting('closed_weekdays', '') or '') | string -%}
    {%- set days = [] -%}
    {%- for part in given.split(',') if part | trim -%}
        {%- if (part | trim) not in ['1', '2', '3', '4', '5', '6', '7'] -%}
            {{- exceptions.raise_compiler_error(
                "setting closed_weekdays holds '" ~ part ~ "'; write ISO weekday numbers "
                ~ "1 (Monday) to 7 (Sunday), separated by commas"
            ) -}}
        {%- endif -%}
        {%- do days.append(part | trim) -%}
    {%- endfor -%}
    cast([{{ days | join(', ') }}] as integer[])
{%- endmacro %}

{#- Digits after the point that the money of a currency has: yen none, dinars three. -#}
{% macro money_digits(currency) -%}
    case
        when
            {{ currency }} in (
                'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF',
                'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
            )
            then 0
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
        else 2
    end
{%- endmacro %}

{#- The smallest money of a currency. -#}
{% macro money_unit(currency) -%}
case {{ money_digits(currency) }} when 0 then 1 when 3 then 0.001 else 0.01 end
{%- endmacro %}

{#-
An amount rounded to money that exists, given the digits of its currency. Cast within
the branches: decimals of full width would share the smallest scale.
-#}
{% macro in_whole_money(amount, digits) -%}
case {{ digits }}
                when 0 then cast(round({{ amount }}, 0) as decimal(18, 3))
                when 3 then cast(round({{ amount }}, 3) as decimal(18, 3))
                else cast(round({{ amount }}, 2) as decimal(18, 3))
            end
{%- endmacro %}

{#- An amount times its line's rate, in decimals: binary fractions lose half cents. -#}
{% macro in_reporting_currency(amount) -%}
cast({{ amount }} as decimal(26, 4))
                * coalesce(exchange_rate, cast(1 as decimal(18, 8)))
{%- endmacro %}

{#- The same as money of the reporting currency: rounded a line at a time, so that every
total is the sum of what is shown. -#}
{% macro as_reporting_money(amount) -%}
{{ in_whole_money(in_reporting_currency(amount), 'reporting_digits') }}
{%- endmacro %}

{#- No line of an order is worth as much; what is would overflow the sums of the others. -#}
{% macro too_much_money() -%}
1000000000000
{%- endmacro %}
