{%- set currency_setting = setting('currency') -%}
with order_lines as (
    select * from {{ ref('int_orders__unioned_lines') }}
),

given as (
    {{ exchange_rate_rows() | indent(4) }}
),

reporting as (
    {%- if currency_setting is not none %}
    select upper({{ sql_text(currency_setting) }}) as currency
    {%- else %}
    select line_currency as currency
    from order_lines
    where line_currency is not null
    group by line_currency
    order by count(*) desc, line_currency asc
    limit 1
    {%- endif %}
),

final as (
    select
        currency,
        cast(1 as decimal(18, 8)) as exchange_rate,
        true as is_reporting_currency,
    from reporting
    union all
    select
        given.currency,
        min(given.exchange_rate) as exchange_rate,
        false as is_reporting_currency,
    from given
    left join reporting on given.currency = reporting.currency
    where reporting.currency is null
    group by given.currency
)

select * from final
