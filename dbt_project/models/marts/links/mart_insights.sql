with products as (
    select * from {{ ref('dim_products') }}
),

sufficiency as (
    select * from {{ ref('mart_sufficiency') }}
),

outcomes as (
    select * from {{ ref('int_daily__outcomes') }}
),

lags as (
    select * from {{ ref('mart_lag_correlation') }}
),

peaks as (
    select
        product_id,
        signal,
        metric,
        max(lag_days) filter (where is_peak) as lag_days,
        max(correlation) filter (where is_peak) as correlation,
        max(n_days) filter (where is_peak) as n_days,
        max(n_eff) filter (where is_peak) as n_eff,
        max(null_high) filter (where is_peak) as null_high,
        max(null_high) as widest_null,
        max(p_sidak) as p_sidak,
        max(q_value) as q_value,
        max(screen_verdict) as verdict,
    from lags
    group by product_id, signal, metric
),

families as (
    select
        signal,
        metric,
        count(*) as products_tested,
    from peaks
    where q_value is not null
    group by signal, metric
),

-- The primary pair: mood with the first outcome that the product has days for.
primary_metrics as (
    select
        sufficiency.product_id,
        sufficiency.metric,
    from sufficiency
    inner join outcomes on sufficiency.metric = outcomes.metric
    where sufficiency.signal = 'sentiment_mean'
    qualify
        row_number() over (
            partition by sufficiency.product_id
            order by
                case
                    when sufficiency.metric = 'units' and sufficiency.days_observed > 0
                        then 0
                    when
                        outcomes.metric_family in ('sales', 'data_set')
                        and sufficiency.days_observed > 0
                        then 1
                    when sufficiency.metric = 'units' then 3
                    when sufficiency.days_observed > 0 then 2
                    else 4
                end asc,
                -- Amounts sold, traded or played before prices and ratios.
                sufficiency.metric like '%volume%' desc,
                sufficiency.days_observed desc,
                outcomes.metric_order asc,
                sufficiency.metric asc
        ) = 1
),

pairs as (
    select
        sufficiency.product_id,
        coalesce(products.product_name, sufficiency.product_id) as product_name,
        sufficiency.signal,
        sufficiency.metric,
        {{ lag_screen_words('sufficiency.signal') }} as signal_words,
        {{ lag_screen_words('sufficiency.metric') }} as metric_words,
        sufficiency.gate,
        sufficiency.reason,
        sufficiency.what_is_missing,
        sufficiency.days_observed,
        sufficiency.days_needed,
        sufficiency.missing_day_ratio,
        sufficiency.posts_per_day,
        sufficiency.units_per_day,
        peaks.lag_days,
        peaks.correlation,
        peaks.n_days,
        peaks.n_eff,
        peaks.null_high,
        peaks.widest_null,
        peaks.p_sidak,
        peaks.q_value,
        peaks.verdict,
        coalesce(families.products_tested, 0) as products_tested,
        sufficiency.signal = 'sentiment_mean' and primary_metrics.metric is not null
            as is_primary,
        row_number() over (
            partition by sufficiency.product_id, peaks.verdict
            order by
                peaks.q_value asc nulls last,
                peaks.p_sidak asc nulls last,
                sufficiency.metric asc,
                sufficiency.signal asc
        ) as verdict_rank,
        sufficiency.is_simulated,
    from sufficiency
    inner join peaks
        on
            sufficiency.product_id = peaks.product_id
            and sufficiency.signal = peaks.signal
            and sufficiency.metric = peaks.metric
    left join products on sufficiency.product_id = products.product_id
    left join families
        on
            sufficiency.signal = families.signal
            and sufficiency.metric = families.metric
    left join primary_metrics
        on
            sufficiency.product_id = primary_metrics.product_id
            and sufficiency.metric = primary_metrics.metric
),

-- Further cards only where there is something to say, the clearest five a product.
chosen as (
    select *
    from pairs
    where is_primary or (verdict = 'watchlist' and verdict_rank <= 5)
),

worded as (
    select
        *,
        case
            when lag_days > 0
                then
                    signal_words || ' is associated with ' || metric_words || ' '
                    || {{ lag_screen_days('lag_days') }} || ' later'
            when lag_days < 0
                then
                    metric_words || ' is associated with ' || signal_words || ' '
                    || {{ lag_screen_days('(-lag_days)') }} || ' later'
            else
                signal_words || ' is associated with ' || metric_words
                || ' of the same day'
        end as link_words,
        replace(replace(reason, signal, signal_words), metric, metric_words)
            as reason_words,
        replace(replace(what_is_missing, signal, signal_words), metric, metric_words)
            as missing_words,
        greatest(30, 180 - days_observed) as more_days,
    from chosen
),

final as (
    select
        product_id || ':' || signal || ':' || metric as insight_id,
        product_id,
        signal,
        metric,
        verdict,
        case
            when verdict = 'watchlist'
                then
                    product_name || ', watchlist: ' || link_words
                    || '. Not a finding yet.'
            when verdict = 'none'
                then
                    product_name || ': no reliable link found between ' || signal_words
                    || ' and ' || metric_words || '.'
            when gate in ('tested', 'full')
                then
                    product_name || ': ' || signal_words || ' and ' || metric_words
                    || ' could not be tested. No relationship claimed.'
            when gate = 'descriptive' and days_observed >= 90
                then
                    product_name || ': ' || signal_words || ' and ' || metric_words
                    || ' are not testable at this volume.'
            when gate = 'blocked'
                then
                    product_name || ': ' || signal_words || ' and ' || metric_words
                    || ' are not testable: ' || reason_words || '.'
            else
                product_name || ': ' || days_observed || ' of 90 days. '
                || 'No relationship claimed.'
        end as headline,
        case
            when verdict = 'watchlist'
                then
                    'Correlation ' || format('{:+.2f}', correlation) || ' at lag '
                    || format('{:+d}', lag_days) || ' days (above 0 the signal comes '
                    || 'first), after accounting for weekday, trend and promotions; '
                    || 'n = ' || n_days || ' days, worth ' || format('{:.0f}', n_eff)
                    || ' independent ones; without a link it stays within ±'
                    || format('{:.2f}', null_high) || '; '
                    || {{ lag_screen_q('q_value') }} || ' over ' || products_tested
                    || case
                        when products_tested = 1 then ' product.'
                        else ' products.'
                    end
            when verdict = 'none'
                then
                    'No reliable link found at any lag from -14 to +14 days, after '
                    || 'accounting for weekday, trend and promotions (n = '
                    || days_observed || ' days, ' || {{ lag_screen_q('q_value') }}
                    || '). Without a link the correlation stays within ±'
                    || format('{:.2f}', widest_null) || '; the strongest was '
                    || format('{:+.2f}', correlation) || ' at lag '
                    || format('{:+d}', lag_days) || '.'
            else
                upper(left(reason_words, 1)) || substr(reason_words, 2) || '. '
                || days_observed || ' observed days with both series'
                || coalesce(
                    '; ' || format('{:.1f}', posts_per_day) || ' posts a day', ''
                )
                || coalesce(
                    '; ' || format('{:.1f}', units_per_day) || ' units a day', ''
                )
                || '.'
        end as detail,
        case
            when verdict = 'watchlist' and lag_days < 0
                then
                    'Do not plan stock on buzz here: ' || metric_words
                    || ' moved first. Collect ' || more_days
                    || ' more days and look again.'
            when verdict = 'watchlist' and lag_days = 0
                then
                    'Same-day movement warns of nothing in advance. Collect '
                    || more_days || ' more days and look for a campaign that touched '
                    || 'both.'
            when verdict = 'watchlist'
                then
                    'Collect ' || more_days || ' more days before acting on it; note '
                    || 'campaigns and press events meanwhile.'
            when verdict = 'none'
                then
                    'Do not plan stock or spending on ' || signal_words
                    || ' for this product.'
            else
                'To collect: '
                || coalesce(missing_words, 'more days with both series') || '.'
        end as recommendation,
        case
            when verdict = 'watchlist'
                then
                    'Could be wrong if an untracked campaign or press event moved '
                    || 'both: that would look the same, and more data does not help '
                    || 'against it. Of all entries of such a list up to one in five '
                    || 'is expected to be chance.'
            when verdict = 'none'
                then
                    'Could be wrong if the link is weaker than this many days can '
                    || 'show, comes and goes, is spread thinly over many days or takes '
                    || 'longer than 14 days.'
            else
                'Could be wrong if days, posts or sales were left out by the source: '
                || 'what is missing here says nothing about a link.'
        end as caveat,
        cast(
            json_object(
                'table', 'mart_lag_correlation',
                'gate', gate,
                'reason', reason,
                'days_observed', days_observed,
                'days_needed', days_needed,
                'missing_day_ratio', missing_day_ratio,
                'posts_per_day', posts_per_day,
                'units_per_day', units_per_day,
                'lag_days', lag_days,
                'correlation', correlation,
                'n_days', n_days,
                'n_eff', n_eff,
                'null_low', -null_high,
                'null_high', null_high,
                'p_sidak', p_sidak,
                'q_value', q_value,
                'products_tested', products_tested,
                'is_primary', is_primary,
                'sql',
                'select lag_days, correlation, n_days, n_eff, p_value, q_value, '
                || 'null_low, null_high from marts.mart_lag_correlation '
                || 'where product_id = '''
                || replace(product_id, '''', '''''') || ''' and signal = ''' || signal
                || ''' and metric = ''' || replace(metric, '''', '''''')
                || ''' order by lag_days'
            ) as json
        ) as evidence,
        is_primary,
        is_simulated,
    from worded
)

select
    insight_id,
    product_id,
    signal,
    metric,
    verdict,
    headline,
    detail,
    recommendation,
    caveat,
    evidence,
    is_primary,
    is_simulated,
from final
