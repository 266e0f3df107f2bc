-- What a shop's current orders gave back is returns or stands beside them, to the last
-- ten-thousandth of their own currency, tax-inclusive prices less their tax.
with orders as (
    select * from {{ ref('int_orders__current') }}
),

refund_lines as (
    {{- of_every_shop('refund_lines', [
        'order_snapshot_key', 'refunded_amount', 'refunded_tax_amount',
    ]) }}
),

staged as (
    select
        sum(
            refund_lines.refunded_amount
            - case
                when orders.is_tax_included
                    then coalesce(refund_lines.refunded_tax_amount, 0)
                else 0
            end
        ) as amount,
    from refund_lines
    inner join orders
        on
            refund_lines.source_name = orders.source_name
            and refund_lines.order_snapshot_key = orders.order_snapshot_key
),

shown as (
    select sum(returns_original) as amount
    from {{ ref('fct_refund_lines') }}
    where not starts_with(source, 'datasets/')
)

select
    staged.amount as staged_amount,
    shown.amount as shown_amount,
from staged
cross join shown
where coalesce(staged.amount, 0) != coalesce(shown.amount, 0)
