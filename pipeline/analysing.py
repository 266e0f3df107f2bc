"""`social-signals analyse`: verdicts on anybody's daily table, without a warehouse.

One look at one table is one family: the correction runs over all products of the file, after the
last of them was tested.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pipeline import tabular
from pipeline.console import clean, err, meter, out
from pipeline.daily_files import DailyFile, Wanted, open_daily
from pipeline.pooling import COLUMNS as POOLED_COLUMNS
from pipeline.pooling import pool, shown
from pipeline.tables import Column, say, show_table
from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.daily_table import DailyTable, Product
    from udfs.lead_lag.cards import Card, CardFacts
    from udfs.lead_lag.panel import LinkTests, Panel

EXIT_PARTIAL, EXIT_NOTHING = 3, 4
MOST_ROWS = 20
_MOST_PROBLEMS = 20
_DAYS_TO_TEST = 90
_PER_DAY = 3.0
_NAME_WIDTH = 28
_NOTE_WIDTH = 64
_ORDER = ("social_leads", "feedback", "sales_lead", "watchlist", "none", "insufficient")
_WORDS = {"sentiment_mean": "mood", "net_sentiment": "net mood", "posts_count": "post volume",
          "engagement_count": "engagement", "share_of_voice_ratio": "share of voice"}  # fmt: skip

COLUMNS = (
    ("product_id", "string"),
    ("verdict", "string"),
    ("lag_days", "int64"),
    ("uplift", "float64"),
    ("lo", "float64"),
    ("hi", "float64"),
    ("p", "float64"),
    ("q", "float64"),
    ("reverse_q", "float64"),
    ("n_days", "int64"),
    ("reliability", "float64"),
    ("minimum_detectable_effect", "float64"),
    ("reason", "string"),
    ("what_is_missing", "string"),
    ("gate", "string"),
    ("direction", "string"),
    ("width_days", "int64"),
    ("reverse_lag_days", "int64"),
    ("reverse_p", "float64"),
    ("signal_sd", "float64"),
    ("percentage_reason", "string"),
    ("missing_day_ratio", "float64"),
    ("posts_per_day", "float64"),
    ("outcome_per_day", "float64"),
    ("days_sold_ratio", "float64"),
    ("first_day", "string"),
    ("last_day", "string"),
    ("category", "string"),
    ("products_tested", "int64"),
    ("is_simulated", "bool"),
    ("headline", "string"),
)
"""The columns of the output in their order, with their types in Parquet."""


class AnalysingError(SocialSignalsError):
    """A file or an option of `analyse` that cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Result:
    """One product: its row of the output, its card, and its curves where it was tested."""

    row: dict[str, Any]
    card: Card
    curves: Curves | None


@dataclass(frozen=True, slots=True)
class Curves:
    """Correlation by lag (-14 to 14) and half width of the null band, before and after whitening.

    Arrays of shape (29,).
    """

    correlation: Any
    null_band: Any
    whitened_correlation: Any
    whitened_band: Any


@dataclass(frozen=True, slots=True)
class Analysis:
    """The results in order of the product ids, and what was noticed on the way."""

    results: list[Result]
    columns: dict[str, str]
    notices: list[str]
    problems: list[str]
    first_day: date | None
    last_day: date | None
    pooled: list[dict[str, Any]]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("analyse")(analyse_command)


def analyse_command(
    file: Annotated[Path, typer.Argument(help="A daily table: .csv, .tsv, .jsonl or .parquet.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write a row a product: .csv, .tsv, .jsonl, .parquet."),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", "-m", help="The column of the outcome.")
    ] = "units",
    signal: Annotated[
        str, typer.Option("--signal", "-s", help="The column of the signal.")
    ] = "sentiment_mean",
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="PRODUCT", help="Its card, and its picture as a PNG."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Where --explain puts the picture.")
    ] = None,
    pooled: Annotated[
        Path | None,
        typer.Option("--pooled", help="Also test all products and each category together."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
    ] = False,
) -> None:
    """Say of each product whether its signal precedes its sales. One row a product and day.

    Columns: product_id, date, units, sentiment_mean; better with sentiment_se and posts; also
    promo, holiday, stock_out, closed, category. Gaps are fine: leave days out or cells empty.

    Example: social-signals analyse daily.csv --output claims.csv
    Example: social-signals analyse daily.csv --explain mug-01
    Example: social-signals analyse daily.csv --pooled pooled.csv
    Example: social-signals analyse trades.parquet --metric volume --json
    """
    for written in (output, pooled):
        if written is not None:
            _check_output(written, file)
    if picture is not None and (explain is None or picture.suffix.lower() != ".png"):
        raise AnalysingError(
            "--picture goes with --explain and names a .png file.", "Give both, or neither."
        )
    opened = open_daily(file, Wanted(metric.strip(), signal.strip()))
    found = analyse(opened, is_pooled=pooled is not None)
    _tell(found)
    if output is not None:
        write_claims(output, found.results)
        err.print(f"{len(found.results):,} rows written to {output}", markup=False)
    if pooled is not None:
        write_table(pooled, found.pooled, POOLED_COLUMNS)
        err.print(f"{len(found.pooled):,} rows written to {pooled}", markup=False)
    if explain is not None:
        _explain(found, explain, file, picture or _picture_beside(output, explain), as_json=as_json)
    elif as_json:
        for result in found.results:
            out.print(json.dumps(_as_json(result)), markup=False, soft_wrap=True)
    else:
        show(found, file, output, console=Console(highlight=False))
    if found.problems:
        raise typer.Exit(EXIT_PARTIAL)
    if all(result.curves is None for result in found.results):
        raise typer.Exit(EXIT_NOTHING)


def _tell(found: Analysis) -> None:
    for notice in found.notices:
        err.print(f"note: {clean(notice)}")
    for problem in found.problems[:_MOST_PROBLEMS]:
        err.print(f"problem: {clean(problem)}")
    if len(found.problems) > _MOST_PROBLEMS:
        more = len(found.problems) - _MOST_PROBLEMS
        err.print(f"problem: {more:,} more of the kind; the output names each with its reason")


def _check_output(output: Path, file: Path) -> None:
    tabular.check_suffix(output)
    if output.exists() and file.exists() and output.samefile(file):
        raise AnalysingError(f"{output} is the table itself.", "Write to another file.")
    if not output.parent.is_dir():
        raise AnalysingError(f"there is no folder {output.parent}.", "Make it first.")


# The analysis -----------------------------------------------------------------------------------


def analyse(file: DailyFile, *, is_pooled: bool = False) -> Analysis:
    """Test every product of an open file and correct over all of them.

    With `is_pooled` also all products and each category together.

    Raises `DailyFileError` where the file as a whole cannot be used. Products that cannot are in
    the results with their reason.
    """
    from pipeline.daily_table import read_daily
    from udfs.lead_lag.multiplicity import decide

    with read_daily(file) as table:
        parts = list(_tested(table, file.columns))
        notices = [*table.notices, *_what_is_lost(file)]
        tests = _together([tests for tests, _ in parts])
        constant = {name: words for _, found in parts for name, words in found.items()}
        products, problems = table.products, table.problems
        names = words_of(file.columns["signal"]), words_of(file.columns["outcome"])
        pooled = pool(table, *names) if is_pooled else []
    decisions = decide(tests) if tests is not None else None
    place = {name: row for row, name in enumerate(tests.product_ids)} if tests is not None else {}
    family = int(tests.is_tested.sum()) if tests is not None else 0
    results = []
    for product in products:
        row = place.get(product.product_id)
        if row is None or tests is None or decisions is None:
            values = _blocked(product)
        else:
            values = _values(tests, decisions, row)
            values["reason"] = constant.get(product.product_id, values["reason"])
        results.append(_result(product, values, file.columns, family, tests, row))
    days = [day for p in products for day in (p.first_day, p.last_day) if day is not None]
    return Analysis(
        results=results,
        columns=dict(file.columns),
        notices=notices,
        problems=problems,
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        pooled=pooled,
    )


def _tested(
    table: DailyTable, columns: Mapping[str, str]
) -> Iterator[tuple[LinkTests, dict[str, str]]]:
    from udfs.lead_lag.links import test_links

    done = 0
    total = sum(not product.blocked for product in table.products)
    with meter("testing products") as progress:
        for panel in table.panels():
            yield test_links(panel), _constant(panel, columns)
            done += panel.n_products
            progress.update(done, total)


def _constant(panel: Panel, columns: Mapping[str, str]) -> dict[str, str]:
    """Which series of which products never change, in words, by product."""
    import numpy as np

    found: dict[str, str] = {}
    for values, role in ((panel.signal, "signal"), (panel.outcome, "outcome")):
        known = np.isfinite(values)
        high = np.where(known, values, -np.inf).max(axis=1, initial=-np.inf)
        low = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
        for row in np.flatnonzero((high == low) & (known.sum(axis=1) >= _DAYS_TO_TEST)):
            name = panel.product_ids[row]
            name_of_series = words_of(columns[role])
            words = f"{name_of_series} never changes: {_short(float(low[row]))} on every day"
            found[name] = f"{found[name]}; {words}" if name in found else words
    return found


def _together(parts: Sequence[LinkTests]) -> LinkTests | None:
    import numpy as np

    from udfs.lead_lag.panel import LinkTests

    if not parts:
        return None
    joined: dict[str, Any] = {}
    for each in fields(LinkTests):
        values = [getattr(part, each.name) for part in parts]
        if isinstance(values[0], tuple):
            joined[each.name] = tuple(item for value in values for item in value)
        else:
            joined[each.name] = np.concatenate(values)
    return LinkTests(**joined)


def _values(tests: LinkTests, decisions: Any, row: int) -> dict[str, Any]:  # noqa: ANN401
    """What the method says of one product, with None where it says nothing."""
    from udfs.lead_lag.cards import LEAST_SOLD_RATIO

    is_tested = bool(tests.is_tested[row])
    verdict = str(decisions.verdict[row]) if is_tested else "insufficient"
    is_lead = verdict in {"social_leads", "feedback"}
    is_percentage = is_lead and bool(tests.is_percentage_allowed[row])
    lag, reverse_lag = int(tests.lag_days[row]), int(tests.reverse_lag_days[row])
    rises = verdict in {"social_leads", "feedback", "watchlist"}
    stated_lag = lag if rises else -reverse_lag if verdict == "sales_lead" else None
    side = tests.reverse_z[row] if verdict == "sales_lead" else tests.z[row]
    is_directed = rises or verdict == "sales_lead"
    return {
        "verdict": verdict,
        "gate": str(tests.gate[row]),
        "reason": str(tests.reason[row]),
        "n_days": int(tests.n_days[row]),
        "lag_days": stated_lag,
        "width_days": int(tests.width_days[row]) if rises else None,
        "reverse_lag_days": reverse_lag if verdict in {"sales_lead", "feedback"} else None,
        "direction": ("same" if side > 0 else "opposite") if is_directed else "",
        "uplift": _number(tests.uplift[row]) if is_percentage else None,
        "lo": _number(tests.uplift_low[row]) if is_percentage else None,
        "hi": _number(tests.uplift_high[row]) if is_percentage else None,
        "percentage_reason": str(tests.percentage_reason[row]) if is_lead else "",
        "p": _number(tests.p[row]),
        "q": _number(decisions.q[row]),
        "reverse_p": _number(tests.reverse_p[row]),
        "reverse_q": _number(decisions.reverse_q[row]),
        "reliability": _number(tests.reliability[row]),
        "signal_sd": _number(tests.signal_sd[row]),
        "minimum_detectable_effect": None
        if tests.days_sold_ratio[row] < LEAST_SOLD_RATIO
        else _number(tests.minimum_detectable_effect[row]),
        "missing_day_ratio": _number(tests.missing_day_ratio[row]),
        "posts_per_day": _number(tests.posts_per_day[row]),
        "outcome_per_day": _number(tests.outcome_per_day[row]),
        "days_sold_ratio": _number(tests.days_sold_ratio[row]),
    }


def _blocked(product: Product) -> dict[str, Any]:
    return {
        "verdict": "insufficient",
        "gate": "blocked" if product.is_bad else "insufficient",
        "reason": product.blocked,
        "n_days": product.days,
    }


def _result(
    product: Product,
    values: dict[str, Any],
    columns: Mapping[str, str],
    family: int,
    tests: LinkTests | None,
    place: int | None,
) -> Result:
    from udfs.lead_lag.cards import write_card

    signal, metric = words_of(columns["signal"]), words_of(columns["outcome"])
    if values["verdict"] == "insufficient":
        values["reason"] = _named(values["reason"], signal, metric)
        values["what_is_missing"] = _missing(product, values, signal, metric)
    else:
        values["reason"] = _why(values)
    if product.note:
        values["reason"] = f"{values['reason']}; {product.note}"
    values["percentage_reason"] = _named(values.get("percentage_reason", ""), signal, metric)
    facts = _facts(product, values, signal, metric, family)
    card = write_card(facts)
    stated = {
        **values,
        "product_id": product.product_id,
        "first_day": _iso(product.first_day),
        "last_day": _iso(product.last_day),
        "category": product.category or "",
        "products_tested": family,
        "is_simulated": product.is_simulated,
        "headline": card.headline,
    }
    curves = None
    if tests is not None and place is not None and tests.is_tested[place]:
        curves = Curves(
            tests.correlation[place],
            tests.null_band[place],
            tests.whitened_correlation[place],
            tests.whitened_band[place],
        )
    row = {name: stated.get(name, "" if kind == "string" else None) for name, kind in COLUMNS}
    return Result(row, card, curves)


def _facts(
    product: Product, values: Mapping[str, Any], signal: str, metric: str, family: int
) -> CardFacts:
    from udfs.lead_lag.cards import CardFacts

    lag = values.get("lag_days")
    return CardFacts(
        product_name=product.product_id,
        signal_words=signal,
        metric_words=metric,
        verdict=values["verdict"],
        gate=values["gate"],
        reason=values["reason"],
        what_is_missing=values.get("what_is_missing"),
        days_observed=values["n_days"],
        days_needed=_DAYS_TO_TEST,
        lag_days=lag if lag is not None and lag > 0 else None,
        width_days=values.get("width_days"),
        uplift=values.get("uplift"),
        uplift_low=values.get("lo"),
        uplift_high=values.get("hi"),
        p=values.get("p"),
        q=values.get("q"),
        reverse_q=values.get("reverse_q"),
        reverse_lag_days=values.get("reverse_lag_days"),
        n_days=values["n_days"],
        signal_sd=values.get("signal_sd"),
        reliability=values.get("reliability"),
        minimum_detectable_effect=values.get("minimum_detectable_effect"),
        percentage_reason=values.get("percentage_reason") or None,
        products_tested=family or None,
        is_simulated=product.is_simulated,
        days_sold_ratio=values.get("days_sold_ratio"),
        is_rise={"same": True, "opposite": False}.get(values.get("direction", "")),
    )


def words_of(column: str) -> str:
    """A column as a noun: `mood` for sentiment_mean, else its name without underscores."""
    return _WORDS.get(column.strip().lower(), " ".join(column.replace("_", " ").split()))


def _named(reason: str, signal: str, metric: str) -> str:
    """The gates' words with the two series under their own names."""
    named = re.sub(r"\b(?:of the )?signal\b", lambda m: m[0].replace("the signal", signal), reason)
    named = re.sub(r"\bsignal\b", signal, named)
    return re.sub(r"\boutcome\b|\bunits\b", metric, named)


def _why(values: Mapping[str, Any]) -> str:
    """What a verdict of a tested product rests on."""
    from udfs.lead_lag.cards import CLAIM_LEVEL, q_words

    q, reverse = q_words(values["q"]), q_words(values["reverse_q"])
    watched = f"{q}: at most .20, but not a claim"
    if values["q"] <= CLAIM_LEVEL:
        watched = f"{q}, but its lag is not where the correlation peaks"
        if values["reverse_q"] <= CLAIM_LEVEL:
            watched = f"{q} and the reverse {reverse}: which comes first cannot be told"
    return {
        "social_leads": f"{q}, its lag is confirmed, and the reverse {reverse} claims nothing",
        "feedback": f"{q} and the reverse {reverse}: both directions, both lags confirmed",
        "sales_lead": f"the reverse {reverse}, its lag confirmed; this direction {q}",
        "watchlist": watched,
        "none": f"{q}: above .20",
    }[values["verdict"]]


def _missing(product: Product, values: Mapping[str, Any], signal: str, metric: str) -> str:
    """What to collect so that the product could be tested."""
    if product.is_bad:
        return "rows that can be read: correct those named, and analyse again"
    if product.blocked:
        return f"daily values of {signal} and {metric}"
    parts = []
    if (days := values["n_days"]) < _DAYS_TO_TEST:
        more = _DAYS_TO_TEST - days
        parts.append(
            f"{more} more {'day' if more == 1 else 'days'} with both {signal} and {metric}"
        )
    elif values["gate"] == "blocked" and "never changes" in values["reason"]:
        parts.append("a series that changes")
    elif values["gate"] == "blocked":
        parts.append("values for the missing days, or a column closed if the shop was closed")
    for key, name in (("posts_per_day", "posts"), ("outcome_per_day", metric)):
        mean = values[key]
        if mean is not None and mean < _PER_DAY and values["gate"] == "descriptive":
            parts.append(f"{name}: {mean:.1f} a day of 3 needed")
    return "; ".join(parts)


def _what_is_lost(file: DailyFile) -> list[str]:
    """What the columns that are not there would have given."""
    lost = []
    if "signal_se" not in file.columns:
        lost.append(
            f"No column of standard errors ({Wanted().names()['signal_se'][0]}): sampling noise of "
            "the daily mean stays in, reliability is unknown, and effects come out too small."
        )
    if "posts" not in file.columns:
        lost.append(
            "No column posts: that 3 posts a day are needed could not be checked, and days without "
            "posts not be told from days with."
        )
    optional = [name for role in list(Wanted().names().values())[4:] for name in role]
    for name in file.unused:
        near = get_close_matches(name.strip().lower(), optional, n=1, cutoff=0.75)
        if near and near[0] != name and near[0] not in file.columns.values():
            lost.append(f"The column {name!r} is not used. Should it be {near[0]!r}?")
    return lost


def _number(value: Any) -> float | None:  # noqa: ANN401
    """Six significant digits: the rest differs from machine to machine and means nothing."""
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def _short(value: float) -> str:
    return f"{value:,.6g}"


def _iso(day: date | None) -> str:
    return day.isoformat() if day is not None else ""


# The output -------------------------------------------------------------------------------------


def write_claims(file: Path, results: Sequence[Result]) -> None:
    """Write a row a product; unknown is empty (null in JSON and Parquet), never nan."""
    write_table(file, [result.row for result in results], COLUMNS)


def write_table(
    file: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]]
) -> None:
    """Write rows with the given columns and types, however many rows there are."""
    is_text = file.suffix.lower() in {".csv", ".tsv"}
    told = (_plain(row) if is_text else dict(row) for row in rows)
    tabular.write_rows(file, told, source_schema=_schema(columns), added=())


def _schema(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in columns])


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as decimals without an exponent, which not every reader takes."""
    return {name: _decimal(value) if isinstance(value, float) else _word(value)
            for name, value in row.items()}  # fmt: skip


def _decimal(value: float) -> str:
    import numpy as np

    return np.format_float_positional(value, trim="-")


def _word(value: Any) -> Any:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else value


def _as_json(result: Result) -> dict[str, Any]:
    plain: dict[str, Any] = tabular.plain(
        {
            **{name: None if value == "" else value for name, value in result.row.items()},
            "detail": result.card.detail,
            "recommendation": result.card.recommendation,
            "caveat": result.card.caveat,
        }
    )
    return plain


# The terminal -----------------------------------------------------------------------------------


def show(found: Analysis, file: Path, output: Path | None, *, console: Console) -> None:
    """The claims first, then the rest up to a screen's length, the counts, and what to do."""
    from udfs.lead_lag.cards import LEAST_SOLD_RATIO, percent, q_words

    signal = words_of(found.columns["signal"])
    metric = words_of(found.columns["outcome"])
    rows = [result.row for result in found.results]
    ordered = sorted(rows, key=_rank)
    days = f"{found.first_day} to {found.last_day}" if found.first_day else "no day"
    stamp = "SIMULATED DATA " if any(row["is_simulated"] for row in rows) else ""
    say(console, f"{stamp}{file.name}: {_plural(len(rows), 'product')}, {days}; does {signal} "
        f"precede {metric}?")  # fmt: skip
    say(console, "")
    cells = []
    for row in ordered[:MOST_ROWS]:
        interval = ""
        if row["uplift"] is not None:
            interval = f"{percent(row['lo']).removesuffix(' %')} to {percent(row['hi'])}"
        elif row["verdict"] in {"social_leads", "feedback"}:
            interval = "direction only"
        lag = row["lag_days"]
        note = row["reason"]
        if row["verdict"] == "none" and row["minimum_detectable_effect"] is not None:
            note = f"{percent(row['minimum_detectable_effect'])} or more would have been detected"
        elif row["verdict"] == "none" and (row["days_sold_ratio"] or 1) < LEAST_SOLD_RATIO:
            note = "hardly testable at this volume: sold on less than half of the days"
        cells.append(
            [
                row["product_id"],
                f"{row['n_days']:,}",
                {"none": "no reliable link"}.get(row["verdict"], row["verdict"]),
                "" if lag is None else f"{lag:+d}",
                interval,
                q_words(row["q"]).removeprefix("q ").removeprefix("= "),
                note,
            ]
        )
    columns = (
        Column("product", most=_NAME_WIDTH),
        Column("days", "right"),
        Column("verdict"),
        Column("lag", "right"),
        Column(f"{metric} per +1 SD", most=_NAME_WIDTH),
        Column("q", "right"),
        Column("what it rests on, or what is missing", most=_NOTE_WIDTH, is_note=True),
    )
    show_table(console, columns, cells, [row["verdict"] for row in ordered[:MOST_ROWS]])
    if len(ordered) > MOST_ROWS:
        where = f"in {output}" if output else "with --output claims.csv"
        say(console, f"{len(ordered) - MOST_ROWS:,} more {where} (shown: claims first).")
    say(console, "")
    for line in _ending(ordered, signal, metric):
        say(console, line)
    for line in shown(found.pooled)[:MOST_ROWS]:
        say(console, line)


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (_ORDER.index(row["verdict"]), row["q"] if row["q"] is not None else 2.0,
            -row["n_days"], row["product_id"])  # fmt: skip


def _ending(rows: Sequence[Mapping[str, Any]], signal: str, metric: str) -> list[str]:
    counts = Counter(row["verdict"] for row in rows)
    tested = len(rows) - counts["insufficient"]
    claims = counts["social_leads"] + counts["feedback"] + counts["sales_lead"]
    summed = (
        f"{_plural(tested, 'product')} tested together: {counts['social_leads']:,} where {signal} "
        f"precedes {metric}, {counts['sales_lead']:,} the other way round, {counts['feedback']:,} "
        f"both, {counts['watchlist']:,} on the watchlist, {counts['none']:,} without a reliable "
        f"link; {counts['insufficient']:,} not testable."
    )
    lines = [summed]
    if claims:
        first = next(row for row in rows if row["verdict"] in _ORDER[:3])["product_id"]
        lines.append(
            "What next: test a claim with a holdout before acting on it; a campaign that is not in "
            f"the table would look the same. One product in full: --explain {first}"
        )
    elif tested:
        lines.append(
            "What next: no claim, so do not plan on it. More days, more posts a day or pooling "
            "over a category find weaker links."
        )
    if counts["insufficient"]:
        missing = Counter(
            _without_numbers(row["what_is_missing"])
            for row in rows
            if row["verdict"] == "insufficient" and row["what_is_missing"]
        )
        for words, count in missing.most_common(2):
            lines.append(f"To collect for {_plural(count, 'product')}: {words}.")
    return lines


def _without_numbers(missing: str) -> str:
    """What several products lack alike, whatever each has of it."""
    words = re.sub(r"^\d+ more days? with", "more days with", missing)
    return re.sub(r": [\d.]+ a day of 3 needed", ", at least 3 a day", words)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


# One product ------------------------------------------------------------------------------------


def _explain(found: Analysis, wanted: str, file: Path, picture: Path, *, as_json: bool) -> None:
    names = [result.row["product_id"] for result in found.results]
    if wanted.strip() not in names:
        near = get_close_matches(wanted.strip(), names, n=3, cutoff=0.3) or names[:3]
        raise AnalysingError(
            f"{file} has no product {wanted!r}.",
            f"Nearest: {', '.join(near)}." if near else "It has none at all.",
        )
    result = found.results[names.index(wanted.strip())]
    from charts.explain import draw_explanation

    drawn = draw_explanation(
        picture.with_suffix(""),
        name=result.row["product_id"],
        signal=words_of(found.columns["signal"]),
        metric=words_of(found.columns["outcome"]),
        row=result.row,
        curves=result.curves,
        source=file.name,
    )
    if as_json:
        out.print(json.dumps(_as_json(result)), markup=False, soft_wrap=True)
    else:
        for part in (result.card.headline, result.card.detail, result.card.recommendation,
                     result.card.caveat):  # fmt: skip
            out.print(clean(part))
    shown = f"picture: {drawn}"
    (err if as_json or not sys.stdout.isatty() else out).print(shown, markup=False)


def _picture_beside(output: Path | None, product_id: str) -> Path:
    """`explain_<product>.png` beside the output, or here; the name holds nothing odd."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", product_id).strip("._")[:60] or "product"
    folder = output.parent if output is not None else Path()
    return folder / f"explain_{kept}.png"
