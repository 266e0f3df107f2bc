with runs as (
    select * from {{ ref('ops_runs') }}
),

streams as (
    select * from {{ ref('ops_sources') }}
),

posts as (
    select * from {{ ref('fct_posts') }}
),

reviews as (
    select * from {{ ref('fct_reviews') }}
),

order_lines as (
    select * from {{ ref('fct_order_lines') }}
),

refund_lines as (
    select * from {{ ref('fct_refund_lines') }}
),

sales_days as (
    select * from {{ ref('int_sales__daily') }}
),

source_days as (
    select * from {{ ref('int_calendar__source_days') }}
),

daily_signals as (
    select * from {{ ref('fct_daily_signals') }}
),

events as (
    select * from {{ ref('int_calendar__events') }}
),

staged_events as (
    select * from {{ ref('stg_storefront__calendar_events') }}
),

interest as (
    select * from {{ ref('stg_google_trends__interest') }}
),

data_set_metrics as (
    select * from {{ ref('stg_datasets__metrics') }}
),

sales_keys as (
    select * from {{ ref('int_products__sales_keys') }}
),

sold_items as (
    select * from {{ ref('int_products__sold_items') }}
),

latest_run as (
    select max_by(run_id, last_load_id) as run_id
    from runs
),

{#- check, whether a count above 0 asks for a look, table, what is counted, of what -#}
{%- set line_reasons = [
    ('test_order', false), ('cancelled_order', false), ('deleted_order', false),
    ('pending_order', false), ('not_a_product_sale', false), ('gift_card', false),
    ('removed_from_order', false), ('nothing_sold', false),
    ('price_not_positive', false), ('quantity_negative', true),
    ('quantity_unreadable', true), ('date_unreadable', true), ('after_cutoff', false),
    ('currency_missing', true), ('currency_without_rate', true),
    ('amount_too_large', true),
] %}
{%- set counted = [
    ('unmapped_order_lines', true, 'order_lines', 'is_counted and not is_mapped',
        'is_counted'),
    ('unmapped_refund_lines', true, 'refund_lines', 'is_counted and not is_mapped',
        'is_counted'),
    ('currency_assumed', true, 'order_lines', 'is_counted and is_currency_assumed',
        'is_counted'),
    ('lines_edited', false, 'order_lines', 'removed_quantity > 0', 'true'),
    ('refunds_beyond_order', true, 'refund_lines', 'is_beyond_order', 'is_counted'),
    ('refunds_without_line', false, 'refund_lines',
        "refund_kind in ('shipping', 'adjustment')", 'true'),
    ('negative_quantities_as_returns', true, 'refund_lines',
        "refund_kind = 'negative_quantity'", 'true'),
    ('sku_of_several_shops', true, 'sold_items',
        "unmapped_reason = 'sku_of_several_shops'", 'true'),
    ('posts_without_product', false, 'posts', "irrelevance_reason = 'no_product'",
        'true'),
    ('posts_reposted', false, 'posts', 'is_repost', 'true'),
    ('posts_duplicate', false, 'posts', 'is_duplicate', 'true'),
    ('posts_spam', false, 'posts', 'is_spam', 'true'),
    ('posts_of_suspected_bots', false, 'posts', 'is_suspected_bot', 'true'),
    ('posts_withheld', false, 'posts', 'is_withheld', 'true'),
    ('relevant_posts_not_scored', true, 'posts',
        'is_relevant and sentiment_score is null', 'is_relevant'),
    ('relevant_posts_low_confidence', false, 'posts',
        "is_relevant and sentiment_status = 'low_confidence'", 'is_relevant'),
    ('reviews_without_product', true, 'reviews', 'product_id is null', 'true'),
    ('reviews_without_stars', false, 'reviews', 'stars is null', 'true'),
    ('gap_days_not_observed', true, 'source_days', 'is_gap', 'is_open'),
    ('partial_days', false, 'source_days', 'is_partial', 'true'),
    ('closed_days', false, 'source_days', 'not is_open', 'true'),
    ('records_on_closed_days', false, 'source_days', 'not is_open and record_count > 0',
        'not is_open'),
    ('stock_out_days', false, 'daily_signals', 'is_stock_out', 'true'),
    ('events_not_mapped', true, 'events', 'not is_mapped', 'true'),
    ('events_unreadable', true, 'staged_events',
        'starts_date is null or ends_date < starts_date', 'true'),
    ('search_interest_below_one', false, 'interest', 'is_below_one', 'true'),
    ('search_interest_partial', false, 'interest', 'is_partial', 'true'),
    ('search_interest_not_daily', true, 'interest', "resolution != 'day'", 'true'),
] %}
counts as (
    select
        'rejected_lines' as check_name,
        source || '/' || stream as source,
        reject_count as flagged_count,
        row_count + reject_count as total_count,
        reject_count > 0 as is_warning,
    from streams
    {%- for table, prefix in [('order_lines', ''), ('refund_lines', 'refund_')] %}
    {%- for reason, is_warning in line_reasons %}
    union all
    select
        '{{ prefix }}{{ reason }}' as check_name,
        'sales' as source,
        count(*) filter (where exclusion_reason = '{{ reason }}') as flagged_count,
        count(*) as total_count,
        {{ is_warning | lower }}
        and count(*) filter (where exclusion_reason = '{{ reason }}') > 0 as is_warning,
    from {{ table }}
    {%- endfor %}
    {%- endfor %}
    {%- for check, is_warning, table, condition, total in counted %}
    union all
    select
        '{{ check }}' as check_name,
        '{{ table }}' as source,
        count(*) filter (where {{ condition }}) as flagged_count,
        count(*) filter (where {{ total }}) as total_count,
        {{ is_warning | lower }}
        and count(*) filter (where {{ condition }}) > 0 as is_warning,
    from {{ table }}
    {%- endfor %}
    -- What is not counted for want of a rate, by the currency that lacks it.
    union all
    select
        'currency_without_rate' as check_name,
        'sales/' || currency as source,
        count(*) as flagged_count,
        count(*) as total_count,
        true as is_warning,
    from order_lines
    where exclusion_reason = 'currency_without_rate'
    group by currency
    -- By the SKU, so that the shops can be told apart in the catalogue.
    union all
    select
        'sku_of_several_shops' as check_name,
        'sku/' || lower(sku) as source,
        count(*) as flagged_count,
        count(*) as total_count,
        true as is_warning,
    from sold_items
    where unmapped_reason = 'sku_of_several_shops'
    group by lower(sku)
    -- In whole units of the reporting currency: how much of all sales is not looked at.
    union all
    select
        'unmapped_gross_sales' as check_name,
        'sales' as source,
        coalesce(sum(gross_sales) filter (where not is_mapped), 0) as flagged_count,
        coalesce(sum(gross_sales), 0) as total_count,
        coalesce(sum(gross_sales) filter (where not is_mapped), 0) > 0 as is_warning,
    from order_lines
    where is_counted
    union all
    select
        'metrics_not_mapped' as check_name,
        'datasets/metrics' as source,
        count(*) filter (where sales_keys.sales_key is null) as flagged_count,
        count(*) as total_count,
        count(*) filter (where sales_keys.sales_key is null) > 0 as is_warning,
    from data_set_metrics
    left join sales_keys on lower(data_set_metrics.product_key) = sales_keys.sales_key
    union all
    select
        'sales_days_not_shown' as check_name,
        'sales' as source,
        count(*) filter (where daily_signals.units is null) as flagged_count,
        count(*) as total_count,
        -- A refund on a closed day is usual, sales on one are not.
        count(*) filter (
            where daily_signals.units is null and sales_days.gross_units > 0
        ) > 0 as is_warning,
    from sales_days
    left join daily_signals
        on
            sales_days.product_id = daily_signals.product_id
            and sales_days.date_day = daily_signals.date_day
    where sales_days.product_id is not null
)

select
    concat_ws(
        '|', coalesce(latest_run.run_id, 'none'), counts.check_name, counts.source
    ) as check_key,
    coalesce(latest_run.run_id, 'none') as run_id,
    counts.check_name,
    counts.source,
    cast(counts.flagged_count as bigint) as flagged_count,
    cast(counts.total_count as bigint) as total_count,
    cast(counts.flagged_count / nullif(counts.total_count, 0) as double)
        as flagged_ratio,
    counts.is_warning,
    {{ 'true' if setting_boolean('is_simulated') else 'false' }} as is_simulated,
from counts
cross join latest_run
