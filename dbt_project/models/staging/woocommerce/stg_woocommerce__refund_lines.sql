{{
    config(
        unique_key='order_snapshot_key',
        pre_hook="{{ drop_forgotten('woocommerce', 'orders') }}"
    )
}}

{% set line = {
    'quantity': 'VARCHAR',
    'total': 'VARCHAR',
    'total_tax': 'VARCHAR',
    'sku': 'VARCHAR',
    'meta_data': [{'key': 'VARCHAR', 'value': 'VARCHAR'}],
} %}
{% set shape = {
    '_shop': 'VARCHAR',
    'currency': 'VARCHAR',
    'date_modified_gmt': 'VARCHAR',
    'refunds': [{'id': 'VARCHAR', 'total': 'VARCHAR'}],
    '_refunds': [{
        'id': 'VARCHAR',
        'date_created_gmt': 'VARCHAR',
        'amount': 'VARCHAR',
        'line_items': [line],
        'shipping_lines': [line],
        'fee_lines': [line],
    }],
} %}

with received as (
    {{ remembered_records('woocommerce', 'orders') }}
),

records as (
    select
        * exclude (payload),
        md5(concat_ws('|', record_id, cast(payload as varchar))) as order_snapshot_key,
        {{ unpack('payload', shape) }} as node,
    from received
    -- Few orders have refunds: the others are not unpacked at all.
    where json_array_length(payload, '$.refunds') > 0
),

{#- What the order itself says of a refund, where its details could not be had. -#}
summaries as (
    select
        *,
        list_filter(
            node.refunds,
            lambda refund: not list_contains(
                coalesce(
                    list_transform(node._refunds, lambda detailed: detailed.id), []
                ),
                coalesce(refund.id, '')
            )
        ) as undetailed,
    from records
),

refunds as (
    select
        * exclude (node, undetailed),
        {{ filled('node._shop') }} as shop_name,
        upper({{ filled('node.currency') }}) as currency,
        {{ instant('node.date_modified_gmt') }} as order_updated_at,
        unnest(node._refunds) as refund,
    from summaries
    union all by name
    select
        * exclude (node, undetailed),
        {{ filled('node._shop') }} as shop_name,
        upper({{ filled('node.currency') }}) as currency,
        {{ instant('node.date_modified_gmt') }} as order_updated_at,
        unnest(
            list_transform(
                undetailed,
                lambda summary: {
                    'id': summary.id,
                    'date_created_gmt': cast(null as varchar),
                    'amount': ltrim(summary.total, '-'),
                    'line_items': null,
                    'shipping_lines': null,
                    'fee_lines': null
                }
            )
        ) as refund,
    from summaries
),

{#- A number within the order, for refunds without an id. -#}
numbered as (
    select
        *,
        refund.id as refund_number_text,
        refund.date_created_gmt as refunded_text,
        {{ money_of('refund.amount') }} as refund_total,
        row_number() over (
            partition by order_snapshot_key, load_id, line_no
            order by cast(refund as varchar)
        ) as refund_number,
    from refunds
),

parts as (
    select
        * exclude (refund, refund_total),
        'line' as refund_kind,
        cast(null as varchar) as adjustment_reason,
        unnest(refund.line_items) as part,
        unnest(range(1, len(refund.line_items) + 1)) as part_number,
    from numbered
    union all
    select
        * exclude (refund, refund_total),
        'shipping' as refund_kind,
        cast(null as varchar) as adjustment_reason,
        unnest(refund.shipping_lines) as part,
        unnest(range(1, len(refund.shipping_lines) + 1)) as part_number,
    from numbered
    union all
    select
        * exclude (refund, refund_total),
        'adjustment' as refund_kind,
        'FEE' as adjustment_reason,
        unnest(refund.fee_lines) as part,
        unnest(range(1, len(refund.fee_lines) + 1)) as part_number,
    from numbered
),

part_amounts as (
    select
        * exclude (part),
        part.sku as sku,
        abs({{ quantity_of('part.quantity') }}) as quantity,
        -{{ money_of('part.total') }} as refunded_amount,
        -{{ money_of('part.total_tax') }} as refunded_tax_amount,
        list_filter(part.meta_data, lambda entry: entry.key = '_refunded_item_id')
            as refunded_items,
    from parts
),

part_sums as (
    select
        order_snapshot_key,
        load_id,
        line_no,
        refund_number,
        sum(coalesce(refunded_amount, 0) + coalesce(refunded_tax_amount, 0))
            as refunded_in_parts,
    from part_amounts
    group by all
),

{#- Money given back that no line names: a refund of an amount, or of a rounding. -#}
remainders as (
    select
        numbered.*,
        'adjustment' as refund_kind,
        'NO_PART_NAMED' as adjustment_reason,
        0 as part_number,
        numbered.refund_total
        - coalesce(part_sums.refunded_in_parts, 0) as refunded_amount,
        part_sums.refund_number is null as is_whole,
    from numbered
    left join part_sums
        on
            numbered.order_snapshot_key = part_sums.order_snapshot_key
            and numbered.load_id = part_sums.load_id
            and numbered.line_no = part_sums.line_no
            and numbered.refund_number = part_sums.refund_number
),

unioned as (
    select * from part_amounts
    union all by name
    select * exclude (refund, refund_total, is_whole)
    from remainders
    where abs(refunded_amount) >= 0.005 or (refunded_amount is null and is_whole)
),

final as (
    select
        order_snapshot_key,
        record_id,
        record_id as order_id,
        coalesce(
            shop_name || '|' || refund_number_text,
            record_id || '#refund' || refund_number
        ) as refund_id,
        coalesce(
            shop_name || '|' || refund_number_text,
            record_id || '#refund' || refund_number
        )
        || '#' || refund_kind || part_number as refund_line_id,
        shop_name || '|' || {{ filled('refunded_items[1].value') }} as order_line_id,
        {{ filled('sku') }} as sku,
        refund_kind,
        cast(null as varchar) as restock_type,
        adjustment_reason,
        currency,
        case when refund_kind = 'line' then quantity end as quantity,
        cast(refunded_amount as decimal(18, 4)) as refunded_amount,
        refunded_tax_amount,
        is_simulated,
        coalesce({{ instant('refunded_text') }}, order_updated_at)
            as refunded_at,
        source_file as _source_file,
        line_no as _line_no,
        run_id as _run_id,
        load_id as _load_id,
        loaded_at as _loaded_at,
    from unioned
    qualify
        row_number() over (
            partition by order_snapshot_key, refund_number, refund_kind, part_number
            order by load_id desc, line_no desc
        ) = 1
)

select * from final
