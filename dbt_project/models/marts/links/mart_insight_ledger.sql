{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='look_date',
        on_schema_change='append_new_columns',
        full_refresh=false,
    )
}}
{%- set columns = [
    'insight_id', 'product_id', 'signal', 'metric', 'look_date', 'look_number',
    'verdict_today', 'q_value', 'reverse_q_value', 'lag_days', 'reverse_lag_days',
    'is_rise', 'n_days', 'status', 'reason', 'card_verdict', 'claimed_verdict',
    'first_claimed_date', 'unbroken_since_date', 'is_primary', 'data_hash',
    'model_revision', 'is_simulated',
] -%}
{%- set before = this if is_incremental() else published_ledger() %}
with lead_lag as (
    select * from {{ ref('mart_lead_lag') }}
),

decided as (
    select * from {{ ref('int_links__decided') }}
),

fingerprints as (
    select * from {{ ref('int_links__data_hashes') }}
),

look as (
    select * from {{ ref('int_insights__look') }}
),

looks_before as (
    {%- if before is none %}
    {#- No look yet: the shape alone. -#}
    select
        cast(null as varchar) as insight_id,
        cast(null as varchar) as product_id,
        cast(null as date) as look_date,
        cast(null as bigint) as look_number,
        cast(null as varchar) as verdict_today,
        cast(null as double) as q_value,
        cast(null as varchar) as claimed_verdict,
        cast(null as date) as first_claimed_date,
        cast(null as date) as unbroken_since_date,
        cast(null as boolean) as is_rise,
        cast(null as integer) as lag_days,
    where false
    {%- else %}
    select
        {{ columns | join(',\n        ') }},
    from {{ before }}
    {%- endif %}
),

previous as (
    select
        looks_before.insight_id,
        looks_before.look_number,
        looks_before.claimed_verdict as standing_verdict,
        looks_before.first_claimed_date as standing_date,
        looks_before.is_rise as standing_is_rise,
        looks_before.lag_days as standing_lag_days,
        looks_before.verdict_today as verdict_before,
        looks_before.unbroken_since_date as unbroken_before,
    from looks_before
    cross join look
    where looks_before.look_date < look.look_date
    qualify
        row_number() over (
            partition by looks_before.insight_id order by looks_before.look_date desc
        ) = 1
),

-- Whether a product was tested at a look before: the cards of primary pairs are all
-- kept.
looked_at as (
    select
        looks_before.product_id,
        bool_or(looks_before.q_value is not null) as is_tested_before,
    from looks_before
    cross join look
    where looks_before.look_date < look.look_date
    group by looks_before.product_id
),

levels as (
    select
        max(first_claim_level) as first_claim_level,
        max(claim_level) as claim_level,
        max(watch_level) as watch_level,
    from decided
),

today as (
    select
        lead_lag.product_id || ':' || lead_lag.signal || ':' || lead_lag.metric
            as insight_id,
        lead_lag.product_id,
        lead_lag.signal,
        lead_lag.metric,
        lead_lag.verdict as verdict_today,
        lead_lag.reason as gate_reason,
        lead_lag.q_value,
        lead_lag.reverse_q_value,
        lead_lag.lag_days,
        lead_lag.reverse_lag_days,
        lead_lag.z_value > 0 as is_rise,
        lead_lag.n_days,
        lead_lag.is_claim,
        coalesce(lead_lag.is_reverse_lag_confirmed, false) as is_reverse_lag_confirmed,
        lead_lag.is_primary,
        bool_or(lead_lag.is_primary and lead_lag.q_value is not null) over (
            partition by lead_lag.product_id
        ) as is_tested_today,
        {{ q_of_verdict('lead_lag.verdict', 'q_value', 'reverse_q_value') }} as claim_q,
        lead_lag.is_simulated,
    from lead_lag
),

compared as (
    select
        today.*,
        look.look_date,
        look.model_revision,
        levels.first_claim_level,
        levels.watch_level,
        coalesce(previous.look_number, 0) + 1 as look_number,
        previous.standing_verdict,
        previous.standing_date,
        previous.standing_lag_days,
        {{ q_of_verdict(
            'previous.standing_verdict', 'today.q_value', 'today.reverse_q_value'
        ) }} as standing_q,
        looked_at.product_id is null
        or (today.is_tested_today and not looked_at.is_tested_before) as is_first_look,
        case
            when not today.is_claim then null
            when
                today.verdict_today = previous.verdict_before
                and (
                    today.verdict_today != 'social_leads'
                    or today.is_rise = previous.standing_is_rise
                )
                then coalesce(previous.unbroken_before, look.look_date)
            else look.look_date
        end as unbroken_since_date,
        today.is_claim
        and (
            today.verdict_today != previous.standing_verdict
            or (
                today.verdict_today = 'social_leads'
                and today.is_rise != previous.standing_is_rise
            )
        ) as is_other_claim,
        -- Where sales lead, a first claim takes more than a standing one: between the
        -- two levels the verdict of the day is silent, but the claim stands.
        today.is_claim
        or (
            previous.standing_verdict = 'sales_lead'
            and today.is_reverse_lag_confirmed
            and today.reverse_q_value <= levels.claim_level
        ) as is_standing,
    from today
    cross join look
    cross join levels
    left join previous on today.insight_id = previous.insight_id
    left join looked_at on today.product_id = looked_at.product_id
),

allowed as (
    select
        *,
        claim_q <= first_claim_level
        and (
            is_first_look
            or look_date - unbroken_since_date >= {{ standing_days() }}
        ) as is_first_claim_allowed,
    from compared
),

judged as (
    select
        *,
        case
            when standing_verdict is null and verdict_today = 'insufficient'
                then 'insufficient'
            when standing_verdict is null and not is_claim then 'none'
            when standing_verdict is null and is_first_claim_allowed then 'claimed'
            when standing_verdict is null then 'waiting'
            when is_other_claim then 'changed'
            when
                is_standing and look_date - standing_date >= {{ confirmation_days() }}
                then 'confirmed'
            when is_standing then 'claimed'
            when standing_q <= watch_level then 'weakening'
            else 'withdrawn'
        end as status,
    from allowed
),

stated as (
    select
        *,
        case
            when status in ('claimed', 'confirmed', 'weakening')
                then coalesce(standing_verdict, verdict_today)
            when status = 'changed' and is_first_claim_allowed then verdict_today
        end as claimed_verdict,
    from judged
),

reasoned as (
    select
        *,
        case
            when status in ('waiting', 'weakening') then 'watchlist'
            when status = 'changed' and claimed_verdict is null then 'watchlist'
            when status in ('claimed', 'confirmed') then claimed_verdict
            else verdict_today
        end as card_verdict,
        case
            when status in ('claimed', 'confirmed', 'weakening')
                then coalesce(standing_date, look_date)
            when claimed_verdict is not null then look_date
        end as first_claimed_date,
        {{ q_in_words('claim_q') }} as claim_q_words,
        {{ q_in_words('standing_q') }} as standing_q_words,
        substr(cast(first_claim_level as varchar), 2) as level_words,
        replace(verdict_today, '_', ' ') as verdict_words,
        replace(standing_verdict, '_', ' ') as standing_words,
    from stated
),

worded as (
    select
        *,
        case
            when status = 'insufficient' then gate_reason
            when status = 'none' and verdict_today = 'watchlist'
                then
                    'nothing claimed: no direction has a small q and a '
                    || 'confirmed lag'
            when status = 'none' then 'nothing claimed'
            when status = 'waiting'
                then
                    claim_q_words || ', unbroken for '
                    || (look_date - unbroken_since_date)
                    || ' days; a first claim needs ' || level_words
                    || ' or less and {{ standing_days() }} days'
            when status = 'claimed' and standing_date is null
                then
                    claim_q_words
                    || case
                        when is_first_look then ' at the first look'
                        else
                            ', unbroken for ' || (look_date - unbroken_since_date)
                            || ' days'
                    end
                    || '; a first claim needs ' || level_words || ' or less'
            when status in ('claimed', 'confirmed')
                then
                    'first claimed on ' || standing_date || ', ' || standing_q_words
                    || ' now'
                    || case
                        when
                            verdict_today = 'social_leads'
                            and abs(lag_days - standing_lag_days) > 1
                            then
                                '; the lag moved from ' || standing_lag_days || ' to '
                                || lag_days || ' days'
                        else ''
                    end
            when status = 'weakening'
                then
                    standing_words || ' claimed on ' || standing_date || ', '
                    || standing_q_words || ' now'
            when status = 'changed'
                then
                    standing_words || ' claimed on ' || standing_date || ', today '
                    || verdict_words
                    || case
                        when verdict_today = standing_verdict
                            then ' in the opposite direction'
                        else ''
                    end
                    || ' with ' || claim_q_words
            when verdict_today = 'insufficient'
                then
                    standing_words || ' claimed on ' || standing_date
                    || ', can no longer be tested: ' || gate_reason
            else
                standing_words || ' claimed on ' || standing_date || ', '
                || standing_q_words || ' now'
        end as reason,
    from reasoned
),

-- The primary pair of every product; others where there is something to say or to take
-- back, five a product.
cards as (
    select *
    from worded
    where
        is_primary
        or status in (
            'claimed', 'confirmed', 'changed', 'withdrawn', 'weakening', 'waiting'
        )
        or verdict_today = 'watchlist'
    qualify
        is_primary
        or row_number() over (
            partition by product_id, is_primary
            order by
                case status
                    when 'confirmed' then 1
                    when 'claimed' then 2
                    when 'changed' then 3
                    when 'withdrawn' then 4
                    when 'weakening' then 5
                    when 'waiting' then 6
                    else 7
                end asc,
                least(
                    coalesce(q_value, 1), coalesce(reverse_q_value, 1)
                ) asc,
                metric asc,
                signal asc
        ) <= 5
),

new_looks as (
    select
        cards.insight_id,
        cards.product_id,
        cards.signal,
        cards.metric,
        cards.look_date,
        cast(cards.look_number as bigint) as look_number,
        cards.verdict_today,
        cards.q_value,
        cards.reverse_q_value,
        cards.lag_days,
        cards.reverse_lag_days,
        cards.is_rise,
        cards.n_days,
        cards.status,
        cards.reason,
        cards.card_verdict,
        cards.claimed_verdict,
        cards.first_claimed_date,
        cards.unbroken_since_date,
        cards.is_primary,
        md5(concat_ws(' ', signal_hashes.data_hash, metric_hashes.data_hash))
            as data_hash,
        case
            when cards.signal in ('sentiment_mean', 'net_sentiment')
                then cards.model_revision
        end as model_revision,
        cards.is_simulated,
    from cards
    left join fingerprints as signal_hashes
        on
            cards.product_id = signal_hashes.product_id
            and cards.signal = signal_hashes.series
    left join fingerprints as metric_hashes
        on
            cards.product_id = metric_hashes.product_id
            and cards.metric = metric_hashes.series
),

final as (
    select
        {{ columns | join(',\n        ') }},
    from new_looks
    {%- if before is not none and not is_incremental() %}
    union all
    select
        {{ columns | join(',\n        ') }},
    from looks_before
    where look_date not in (select look_date from look)
    {%- endif %}
)

select
    {{ columns | join(',\n    ') }},
from final
