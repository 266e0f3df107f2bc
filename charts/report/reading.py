"""What the report needs of the marts, as plain values: every product, ordered by what was found.

Set-based: a number of queries that does not grow with the products. What an older or smaller file
does not hold is empty or None.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from charts.reading import (
    CLAIMS,
    MOOD,
    VERDICTS,
    Catalogue,
    Claim,
    DailySeries,
    LagCurve,
    Measure,
    Overview,
    Published,
    Subject,
    measure,
    number_or_none,
    read_catalogue,
    read_claims,
    read_daily,
    read_lags,
    read_overview,
)
from charts.report.around import Around, read_around
from charts.report.evidence import Evidence, read_evidence
from charts.report.words import NAME_LENGTH, Finding, VerdictWords, finding, plain, verdict_words

_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,60}", re.ASCII)
_CARD = (
    "product_id", "signal", "metric", "verdict", "headline", "detail", "recommendation", "caveat",
)  # fmt: skip
_CLAIM = (
    "lag_days", "uplift_ratio", "uplift_low_ratio", "uplift_high_ratio", "q_value",
    "reverse_q_value", "n_days", "look_status", "look_reason", "first_claimed_date", "evidence_sql",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """One card of the marts: words and figures. `signal` is None for one about the product."""

    signal: Measure | None
    metric: Measure | None
    verdict: VerdictWords
    finding: Finding
    headline: str
    detail: str = ""
    recommendation: str = ""
    caveat: str = ""
    lag_days: int | None = None
    uplift: float | None = None
    interval: tuple[float, float] | None = None
    q_value: float | None = None
    n_days: int | None = None
    look_status: str = ""
    look_reason: str = ""
    first_claimed: date | None = None
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """One product: its main card, the others, and all that stands behind them."""

    anchor: str
    product_id: str
    name: str
    category: str
    is_simulated: bool
    outcome: Measure | None
    total: float | None
    posts_count: int
    main: Card
    others: tuple[Card, ...]
    pairs: Counter[str]
    missing: str
    curve: LagCurve
    evidence: Evidence
    has_page: bool = True

    @property
    def verdict(self) -> str:
        """The key of the main card's verdict."""
        return self.main.verdict.key


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the pages show but the charts of the registry."""

    overview: Overview
    catalogue: Catalogue
    products: tuple[Product, ...]
    counts: dict[str, int]
    pairs: Counter[str]
    run_id: str = ""
    run_started: datetime | None = None
    model_revision: str = ""
    around: dict[str, Around] = field(default_factory=dict)


def read_report(file: Published, *, cutoff: datetime | None = None, most_pages: int) -> Report:
    """All products; only the first `most_pages` of them have a page of their own.

    Raises ChartError where the file lacks what every file has, or holds an unknown verdict.
    """
    overview, catalogue = read_overview(file, cutoff=cutoff), read_catalogue(file)
    claims = read_claims(file)
    curves = read_lags(file, catalogue.subjects)
    cards, about = _read_cards(file), _read_about(file)
    evidence = read_evidence(file)
    pairs = _pairs(claims)
    made = [
        _product(subject, curve, catalogue, cards, about, evidence, pairs)
        for subject, curve in zip(catalogue.subjects, curves, strict=True)
    ]
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    made.sort(key=lambda p: (order[p.verdict], -(p.total or 0.0), p.product_id))
    paged = [product.product_id for product in made[:most_pages]]
    run_id, started = _last_run(file)
    return Report(
        overview=overview,
        catalogue=catalogue,
        products=tuple(_with_pages(made, most_pages)),
        counts={verdict: sum(p.verdict == verdict for p in made) for verdict in VERDICTS},
        pairs=Counter(claim.verdict for claim in claims.values()),
        run_id=run_id,
        run_started=started,
        model_revision=_model_revision(file),
        around=read_around(file, paged),
    )


def series_of(
    file: Published, report: Report, products: Sequence[Product]
) -> Iterator[DailySeries]:
    """The daily series of these products, in their order, some hundred at a time."""
    subjects = {subject.product_id: subject for subject in report.catalogue.subjects}
    for start in range(0, len(products), 250):
        part = products[start : start + 250]
        yield from read_daily(file, [subjects[product.product_id] for product in part])


def _with_pages(products: Sequence[Product], most_pages: int) -> Iterator[Product]:
    for place, product in enumerate(products):
        yield product if place < most_pages else replace(product, has_page=False)


def anchor_of(product_id: str) -> str:
    """The id of a product's page: its own where that is plain, else a hash of it."""
    if _PLAIN_ID.fullmatch(product_id):
        return f"product-{product_id}"
    return f"product--{hashlib.sha256(product_id.encode()).hexdigest()[:16]}"


def _pairs(claims: dict[tuple[str, str, str], Claim]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for (product_id, _, _), claim in claims.items():
        found.setdefault(product_id, Counter())[claim.verdict] += 1
    return found


def _product(
    subject: Subject,
    curve: LagCurve,
    catalogue: Catalogue,
    cards: dict[str, list[dict[str, Any]]],
    about: dict[str, tuple[str, str, bool]],
    evidence: dict[tuple[str, str, str], Evidence],
    pairs: dict[str, Counter[str]],
) -> Product:
    product_id = subject.product_id
    name, category, is_simulated = about.get(product_id, ("", "", False))
    found = evidence.get((product_id, MOOD, curve.metric), Evidence())
    outcome = catalogue.measure(curve.metric) if curve.metric else None
    rows = cards.get(product_id, [])
    own = next(
        (row for row in rows if (row["signal"], row["metric"]) == (MOOD, curve.metric)), None
    )
    own = own or next((row for row in rows if row["signal"] is None), None)
    missing = found.what_is_missing
    if curve.verdict == "insufficient":
        missing = plain(curve.missing) or missing
    if curve.verdict == "insufficient" and not missing:
        missing = "no day with both mood and an outcome"
    others = [row for row in rows if row is not own and row["signal"] is not None]
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    others.sort(key=lambda row: (order.get(row["verdict"], 9), row["signal"], row["metric"]))
    return Product(
        anchor=anchor_of(product_id),
        product_id=product_id,
        name=name or plain(product_id, NAME_LENGTH) or "(no name)",
        category=category,
        is_simulated=is_simulated,
        outcome=outcome,
        total=subject.total,
        posts_count=subject.posts_count,
        main=_main(own, curve, outcome, found, missing),
        others=tuple(_card(row, catalogue) for row in others if row["verdict"] in order),
        pairs=pairs.get(product_id, Counter()),
        missing=missing,
        curve=curve,
        evidence=found,
    )


def _main(
    row: dict[str, Any] | None,
    curve: LagCurve,
    outcome: Measure | None,
    found: Evidence,
    missing: str,
) -> Card:
    """The card of a product; where the marts have none that agrees, one that claims nothing."""
    signal = measure(MOOD)
    claim = curve.claim
    is_claim = curve.verdict in CLAIMS
    agrees = row is not None and row["verdict"] == curve.verdict
    words = row if agrees and row is not None else {}
    interval = None
    if is_claim and claim and claim.uplift_low is not None and claim.uplift_high is not None:
        interval = (claim.uplift_low, claim.uplift_high)
    lag = claim.lag_days if claim and curve.verdict not in {"none", "insufficient"} else None
    n_days = claim.n_days if claim and claim.n_days else curve.n_days
    said = finding(
        curve.verdict,
        signal,
        outcome,
        lag_days=lag,
        interval=interval,
        q_value=curve.q_value,
        n_days=n_days,
        smallest=found.smallest,
        missing=missing,
    )
    return Card(
        signal=signal,
        metric=outcome,
        verdict=verdict_words(curve.verdict, signal, outcome),
        finding=said,
        headline=plain(words.get("headline")) or said.sentence(),
        detail=plain(words.get("detail"), 4000),
        recommendation=plain(words.get("recommendation")),
        caveat=plain(words.get("caveat")),
        lag_days=lag,
        uplift=number_or_none(words.get("uplift_ratio")) if interval else None,
        interval=interval,
        q_value=curve.q_value if curve.verdict != "insufficient" else None,
        n_days=n_days,
        look_status=plain(words.get("look_status")),
        look_reason=plain(words.get("look_reason")),
        first_claimed=words.get("first_claimed_date"),
        sql=_sql(words.get("evidence_sql")) or evidence_sql(curve),
    )


def _card(row: dict[str, Any], catalogue: Catalogue) -> Card:
    signal, outcome = measure(row["signal"]), catalogue.measure(row["metric"])
    low, high = number_or_none(row["uplift_low_ratio"]), number_or_none(row["uplift_high_ratio"])
    key = "reverse_q_value" if row["verdict"] == "sales_lead" else "q_value"
    q_value = number_or_none(row[key])
    interval = (low, high) if low is not None and high is not None else None
    return Card(
        signal=signal,
        metric=outcome,
        verdict=verdict_words(row["verdict"], signal, outcome),
        finding=finding(
            row["verdict"],
            signal,
            outcome,
            lag_days=row["lag_days"],
            interval=interval,
            q_value=q_value,
            n_days=row["n_days"],
        ),
        headline=plain(row["headline"]),
        lag_days=row["lag_days"],
        interval=interval,
        q_value=q_value,
        n_days=row["n_days"],
        look_status=plain(row["look_status"]),
    )


def _sql(text: str | None) -> str:
    """A query as one line without a sign that a terminal or a page could take for another."""
    return plain(text, 6000)


def evidence_sql(curve: LagCurve) -> str:
    """The rows of the screen, for a file whose cards carry no query."""
    product_id = curve.subject.product_id.replace("'", "''")
    metric = curve.metric.replace("'", "''")
    return plain(
        "select * from marts.mart_lag_correlation "
        f"where product_id = '{product_id}' and signal = '{curve.signal}' "
        f"and metric = '{metric}' order by lag_days",
        6000,
    )


def _read_cards(file: Published) -> dict[str, list[dict[str, Any]]]:
    there = [name for name in _CLAIM if file.has("mart_insights", name)]
    names = (*_CARD, *there)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in file.rows(
        f"select {', '.join(names)} from {file.table('mart_insights')} "
        "order by product_id, signal, metric, insight_id"
    ):
        card: dict[str, Any] = dict.fromkeys(_CLAIM)
        card |= dict(zip(names, row, strict=True))
        found.setdefault(card["product_id"], []).append(card)
    return found


def _read_about(file: Published) -> dict[str, tuple[str, str, bool]]:
    """Name, category and whether anything of it is simulated, by product."""
    simulated = dict(
        file.rows(
            "select product_id, coalesce(bool_or(is_simulated), false) "
            f"from {file.table('fct_daily_signals')} group by 1"
        )
    )
    named: dict[str, tuple[str | None, str | None]] = {}
    if file.has("dim_products", "product_id", "product_name", "category"):
        named = {
            row[0]: (row[1], row[2])
            for row in file.rows(
                "select product_id, any_value(product_name), any_value(category) "
                f"from {file.table('dim_products')} where product_id is not null group by 1"
            )
        }
    return {
        product_id: (
            plain(named.get(product_id, ("", ""))[0], NAME_LENGTH),
            plain(named.get(product_id, ("", ""))[1], NAME_LENGTH),
            bool(simulated.get(product_id)),
        )
        for product_id in {*simulated, *named}
    }


def _last_run(file: Published) -> tuple[str, datetime | None]:
    if not file.has("ops_runs", "run_id", "started_at"):
        return "", None
    rows = file.rows(
        f"select run_id, started_at from {file.table('ops_runs')} "
        "order by started_at desc, run_id desc limit 1"
    )
    return (plain(rows[0][0], 60), rows[0][1]) if rows else ("", None)


def _model_revision(file: Published) -> str:
    if not file.has("fct_posts", "model_revision"):
        return ""
    rows = file.rows(
        f"select model_revision, count(*) from {file.table('fct_posts')} "
        "where model_revision is not null group by 1 order by 2 desc, 1 limit 1"
    )
    return plain(rows[0][0], 120) if rows else ""
