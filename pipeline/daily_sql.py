"""The queries that parse and check a daily table: text in, one row a product and day out."""

from __future__ import annotations

from collections.abc import Mapping

ROLES = (
    "product_id",
    "date",
    "outcome",
    "signal",
    "signal_se",
    "posts",
    "promo",
    "holiday",
    "stock_out",
    "is_open",
    "is_closed",
    "category",
    "is_simulated",
)
_NUMBERS = ("outcome", "signal", "signal_se", "posts")
_MISSING = "('', 'nan', 'na', 'n/a', '#n/a', 'null', 'none', 'nat', '-', '.')"
_FALSE = "('', '0', '0.0', 'false', 'f', 'no', 'n', 'none', 'null', 'nan', 'na')"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_OTHER_DATE = r"^\d{1,2}[./-]\d{1,2}[./-]\d{4}([T ].*)?$"

# Which of the two separators are decimal ones. "1,234" may be either; "0,5" and "1,5" may not.
DECIMAL_STYLE = f"""
with numbers as (
    select unnest([{", ".join(_NUMBERS)}]) as text from texts
)
select
    count(*) filter (
        where regexp_full_match(text, '[+-]?((\\d{{1,3}}(\\.\\d{{3}})+)|\\d*),\\d+([eE][+-]?\\d+)?')
            and not regexp_full_match(text, '[+-]?[1-9]\\d{{0,2}}(,\\d{{3}})+')
    ) as with_comma,
    count(*) filter (
        where regexp_full_match(text, '[+-]?\\d*\\.\\d+([eE][+-]?\\d+)?')
            and not regexp_full_match(text, '[+-]?[1-9]\\d{{0,2}}(\\.\\d{{3}})+')
    ) as with_point,
    count(*) filter (where regexp_full_match(text, '[+-]?[1-9]\\d{{0,2}}(,\\d{{3}})+')) as either
from numbers
where contains(text, ',') or contains(text, '.')
"""

DATE_ORDER = f"""
with dates as (
    select row, date as text, regexp_extract(date, '^(\\d+)[./-](\\d+)', 1)::integer as head,
        regexp_extract(date, '^(\\d+)[./-](\\d+)', 2)::integer as second
    from texts where regexp_matches(date, '{_OTHER_DATE}')
)
select
    count(*) as dates,
    count(*) filter (where head > 12) as day_first,
    count(*) filter (where second > 12) as month_first,
    min(row) filter (where head > 12) as day_first_row,
    min(row) filter (where second > 12) as month_first_row,
    arg_min(text, row) filter (where head > 12) as day_first_text,
    arg_min(text, row) filter (where second > 12) as month_first_text,
    arg_min(text, row) as example,
    coalesce(bool_and(contains(text, '.')), false) as dotted
from dates
"""


def parse_rows(
    columns: Mapping[str, str],
    *,
    has_decimal_comma: bool,
    is_day_first: bool,
    is_mood: bool,
    is_units: bool,
) -> str:
    """The table `lines` from `texts`: values parsed, and what could not be.

    `columns`: role -> name in the file. `bad` says what of a row cannot be read, null where all
    can. A missing value is null. `is_mood`: the signal is a mood, which nobody shows who posts
    nothing. `is_units`: the outcome is units sold, of which a day below 0 tells only of returns.
    """
    numbers = ", ".join(f"{_number(name, has_decimal_comma)} as n_{name}" for name in _NUMBERS)
    unread = " ".join(
        f"when n_{name} is null and not {_is_missing(name)} "
        f"then {_unread(columns.get(name, name), name)}"
        for name in _NUMBERS
    )
    is_closed = f"({_flag('is_closed')} or not {_flag('is_open', otherwise='true')})"
    is_blank = "n_posts = 0" if is_mood else "false"
    is_below = "n_outcome < 0 and isfinite(n_outcome)" if is_units else "false"
    return f"""
    create table lines as
    with parsed as materialized (
        select *, {numbers}, {_day(is_day_first)} as day,
            case
                when regexp_matches(date, '[T ]\\d{{1,2}}:')
                    then regexp_extract(date, '(Z|[+-]\\d{{2}}:?\\d{{0,2}})$', 1)
            end as zone
        from texts
    )
    select
        row, product_id, day, zone,
        case when day is null then {_unread(columns["date"], "date")} {unread} end as bad,
        case
            when {is_below} then null
            when {is_closed} then nullif(n_outcome, 0)
            else n_outcome
        end as outcome,
        coalesce({is_below}, false) as is_negative,
        case when {is_blank} then null else n_signal end as signal,
        coalesce({is_blank} and n_signal is not null, false) as is_blank_mood,
        case when n_signal_se >= 0 and isfinite(n_signal_se) then n_signal_se end as signal_se,
        coalesce(n_signal_se < 0 or not isfinite(n_signal_se), false) as is_se_unusable,
        n_posts as posts,
        {_flag("promo")} as promo, {_flag("holiday")} as holiday,
        {_flag("stock_out")} as stock_out,
        -- A day with sales was open, whatever its flag says.
        {is_closed} and not coalesce(n_outcome > 0, false) as is_closed,
        {is_closed} and coalesce(n_outcome > 0, false) as is_open_after_all,
        nullif(category, '') as category, {_flag("is_simulated")} as is_simulated
    from parsed
    """


def _is_missing(name: str) -> str:
    return f"coalesce(lower({name}) in {_MISSING}, true)"


def _unread(column: str, role: str) -> str:
    shown = column.replace("'", "''")
    return f"'{shown} ' || chr(39) || left(coalesce({role}, ''), 40) || chr(39)"


def _number(name: str, has_decimal_comma: bool) -> str:
    bare = f"replace(replace({name}, '\u00a0', ''), '\u202f', '')"
    if has_decimal_comma:
        text = (
            f"case when regexp_full_match({bare}, '[+-]?\\d{{1,3}}(\\.\\d{{3}})+(,\\d+)?') "
            f"then replace(replace({bare}, '.', ''), ',', '.') "
            f"else replace({bare}, ',', '.') end"
        )
    else:
        text = (
            f"case when contains({bare}, ',') and regexp_matches({bare}, '{_THOUSANDS}') "
            f"then replace({bare}, ',', '') else {bare} end"
        )
    return (
        f"case when not {_is_missing(name)} and not contains({name}, '_') "
        f"then nullif(try_cast({text} as double), 'nan'::double) end"
    )


def _day(is_day_first: bool) -> str:
    order = "%d.%m.%Y" if is_day_first else "%m.%d.%Y"
    year_first = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?$"
    return f"""case
        when regexp_matches(date, '{year_first}')
            then try_cast(
                replace(regexp_extract(date, '^\\d{{4}}[-/]\\d{{1,2}}[-/]\\d{{1,2}}'), '/', '-')
                as date
            )
        when regexp_full_match(date, '(19|20|21)\\d{{6}}')
            then try_strptime(date, '%Y%m%d')::date
        when regexp_full_match(date, '\\d{{4}}-\\d{{2}}') then try_cast(date || '-01' as date)
        when regexp_matches(date, '{_OTHER_DATE}')
            then try_strptime(
                regexp_replace(regexp_extract(date, '^[^T ]+'), '[/-]', '.', 'g'), '{order}'
            )::date
    end"""


def _flag(name: str, *, otherwise: str = "false") -> str:
    return (
        f"case when coalesce({name}, '') = '' then {otherwise} "
        f"else lower({name}) not in {_FALSE} end"
    )


# Beyond it squares and their sums lose every digit, if they do not overflow.
_LARGEST = "1e15"

PRODUCTS = f"""
create table products as
select row_number() over (order by product_id) as code, product_id
from (select distinct product_id from lines where product_id <> '');
create table coded as
select products.code, lines.* from lines inner join products using (product_id);
with per_row as (
    select code, product_id,
        count(*) as given_rows,
        count(bad) as bad_rows,
        coalesce(list(row order by row) filter (where bad is not null)[1:3], []) as bad_row_list,
        arg_min(bad, row) filter (where bad is not null) as bad_what,
        count(*) filter (where abs(outcome) > {_LARGEST}) as infinite_outcome_rows,
        min(row) filter (where abs(outcome) > {_LARGEST}) as infinite_outcome_row,
        arg_min(day, row) filter (where abs(outcome) > {_LARGEST}) as infinite_outcome_day,
        count(*) filter (where abs(signal) > {_LARGEST}) as infinite_signal_rows,
        min(row) filter (where abs(signal) > {_LARGEST}) as infinite_signal_row,
        arg_min(day, row) filter (where abs(signal) > {_LARGEST}) as infinite_signal_day,
        count(*) filter (where is_negative) as negative_outcome_rows,
        min(row) filter (where is_negative) as negative_outcome_row,
        arg_min(day, row) filter (where is_negative) as negative_outcome_day,
        count(*) filter (where posts < 0 or isinf(posts)) as negative_posts_rows,
        min(row) filter (where posts < 0 or isinf(posts)) as negative_posts_row,
        arg_min(day, row) filter (where posts < 0 or isinf(posts)) as negative_posts_day,
        arg_max(category, row) filter (where category is not null) as category,
        bool_or(is_simulated) as is_simulated,
        coalesce(min(outcome) < 0
            or (bool_or(outcome <> floor(outcome)) and avg(outcome) < 10), false) as is_level,
        2 * count(outcome) < datediff('day', min(day), max(day))
            or 2 * count(signal) < datediff('day', min(day), max(day)) as is_sparse,
        count(distinct day) filter (where bad is null and outcome is not null
            and signal is not null) as days_both,
        min(day) filter (where bad is null) as first_day,
        max(day) filter (where bad is null) as last_day
    from coded group by code, product_id
),
zones as (
    select code, list(zone order by zone) as offsets, list(first_row order by zone) as offset_rows
    from (
        select code, coalesce(zone, '') as zone, min(row) as first_row
        from coded where bad is null group by 1, 2
    )
    group by code
),
outcome_gaps as (
    select code, median(gap) as outcome_gap, count(*) + 1 as outcome_days
    from (
        select code, datediff('day', lag(day) over (partition by code order by day), day) as gap
        from coded inner join per_row using (code)
        where is_sparse and bad is null and outcome is not null
    ) where gap > 0 group by code
),
signal_gaps as (
    select code, median(gap) as signal_gap, count(*) + 1 as signal_days
    from (
        select code, datediff('day', lag(day) over (partition by code order by day), day) as gap
        from coded inner join per_row using (code)
        where is_sparse and bad is null and signal is not null
    ) where gap > 0 group by code
)
select per_row.*, coalesce(zones.offsets, []) as offsets,
    coalesce(zones.offset_rows, []) as offset_rows,
    outcome_gap, coalesce(outcome_days, 0) as outcome_days,
    signal_gap, coalesce(signal_days, 0) as signal_days
from per_row
left join zones using (code)
left join outcome_gaps using (code)
left join signal_gaps using (code)
order by code
"""

_VALUES = "outcome, signal, signal_se, posts, promo, holiday, stock_out, is_closed"

DUPLICATES = f"""
with repeated as (
    select code, day from coded where bad is null group by code, day having count(*) > 1
)
select code, any_value(product_id) as product_id, day, count(*) as count,
    list(row order by row)[1:3] as rows,
    count(distinct ({_VALUES})) = 1 as is_same
from coded inner join repeated using (code, day)
where bad is null
group by code, day
order by code, day
"""

# Of rows that say the same, one: which, makes no difference.
CLEAN = f"""
create table clean as
select code, day, {_VALUES} from coded where bad is null
qualify row_number() over (partition by code, day order by row) = 1
"""

WEEKDAYS = f"""
with counted as (
    select code, isodow(day) as weekday, count(*) as days, sum(outcome) as total
    from clean where outcome is not null and not is_closed group by 1, 2
),
spans as (
    select code, datediff('day', min(day), max(day)) + 1 as span, avg(outcome) as usual
    from clean where outcome is not null and not is_closed group by 1
)
select code, any_value(span) as span, any_value(usual) as usual,
    [{", ".join(f"coalesce(max(days) filter (where weekday = {day}), 0)" for day in range(1, 8))}]
        as days,
    [{", ".join(f"coalesce(max(total) filter (where weekday = {day}), 0)" for day in range(1, 8))}]
        as totals
from counted inner join spans using (code)
group by code order by code
"""

# Zero on a weekday that is always zero is a closed day, and a closed day is null.
SERIES = """
with masks as (
    select code, sum(1 << weekday)::bigint as closed_weekdays from closed_weekdays group by code
)
select places.chunk, places.place, clean.day::date as day,
    case when (coalesce(masks.closed_weekdays, 0) >> isodow(clean.day)) & 1 = 1
        then nullif(clean.outcome, 0) else clean.outcome end as outcome,
    clean.signal, clean.signal_se, clean.posts, clean.promo, clean.holiday, clean.stock_out,
    clean.is_closed, coalesce(masks.closed_weekdays, 0) as closed_weekdays
from clean
inner join places using (code)
left join masks using (code)
order by places.chunk
"""
