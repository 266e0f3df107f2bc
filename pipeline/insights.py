"""insights.json: what the marts say about each product, in a documented and versioned shape.

Read from the published file only. What is claimed is what the cards of mart_insights claim; a file
of a version without tests gives what its screen says. docs/insights_schema.md explains every field.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias, get_args

from pydantic import ValidationError

from charts.reading import (
    MOOD,
    Catalogue,
    Claim,
    Published,
    Subject,
    measure,
    missing_words,
    number_or_none,
    open_published,
    read_catalogue,
    read_claims,
    read_overview,
    verdict_of,
)
from charts.style import write_whole
from pipeline.insights_schema import (
    SCHEMA_VERSION,
    Card,
    Effect,
    Evidence,
    Insights,
    Link,
    Pair,
    ProductInsights,
    RunMetadata,
    Strongest,
    Verdict,
    Verdicts,
    Window,
)
from pipeline.insights_schema import (
    Claim as Statement,
)
from pipeline.summary import summarise
from udfs.errors import SocialSignalsError
from udfs.lead_lag.cards import CardFacts, write_card

__all__ = ["InsightsError", "RunFacts", "summarise", "write_insights"]

Json: TypeAlias = Any


class InsightsError(SocialSignalsError):
    """The marts hold something that insights.json must not say; the remedy tells what to do."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the run knows about itself. `generated_at` and `cutoff_at` are aware instants."""

    run_id: str
    target: str
    generated_at: datetime
    cutoff_at: datetime | None = None
    model_revision: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def write_insights(published: Path, output: Path, *, run: RunFacts) -> Insights:
    """Read the marts of `published`, write `output` whole or not at all, and return the content.

    Raises ChartError when the file cannot be read or `output` cannot be written, and InsightsError
    when the marts hold a verdict or a number that the schema forbids.
    """
    with open_published(published) as file:
        insights = _collect(file, run)
    text = json.dumps(
        insights.model_dump(mode="json"), ensure_ascii=False, allow_nan=False, indent=1
    )
    write_whole(output, (text + "\n").encode())
    return insights


# Reading ----------------------------------------------------------------------------------------


def _collect(file: Published, run: RunFacts) -> Insights:
    overview = read_overview(file, cutoff=run.cutoff_at)
    catalogue = read_catalogue(file)
    pairs = _read_pairs(file)
    cards = _read_cards(file)
    observed = _days_observed(file, catalogue)
    about = _read_products(file)
    first, last = overview.first_day, overview.last_day
    try:
        products = [
            _product(subject, pairs, cards, observed, about)
            for subject in sorted(catalogue.subjects, key=lambda subject: subject.product_id)
        ]
        all_pairs = [pair for product in products for pair in product.pairs]
        return Insights(
            schema_version=SCHEMA_VERSION,
            generated_at=run.generated_at,
            target=run.target,
            is_simulated=overview.is_simulated or any(p.is_simulated for p in products),
            run=RunMetadata(
                run_id=run.run_id,
                cutoff_at=run.cutoff_at,
                model_revision=run.model_revision or _model_revision(file),
                counts={
                    "products": len(products),
                    "pairs": len(all_pairs),
                    "posts": overview.posts_count,
                    **dict(sorted(run.counts.items())),
                },
            ),
            window=Window(
                first_day=first,
                last_day=last,
                days=(last - first).days + 1 if first and last else 0,
            ),
            verdicts=Verdicts(
                products=_tally(product.verdict for product in products),
                pairs=_tally(pair.verdict for pair in all_pairs),
            ),
            products=products,
        )
    except ValidationError as error:
        first_error = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first_error["loc"])
        raise InsightsError(
            f"{file.file}: the marts hold a value that insights.json must not carry: "
            f"{error.title}.{where}: {first_error['msg']} (found: {first_error['input']!r:.80}).",
            "Build again with social-signals run; if it stays, mart_insights or mart_sufficiency "
            "is of another version.",
        ) from error


def _tally(verdicts: Iterable[str]) -> dict[Verdict, int]:
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in get_args(Verdict)}


def _read_pairs(file: Published) -> dict[str, list[Pair]]:
    """Every pair that has a gate or a curve, with what was found of it, by product."""
    claims, links, effects = read_claims(file), _read_links(file), _read_effects(file)
    stability = _read_stability(file)
    rows = file.rows(
        f"""
        with screened as (
            select product_id, signal, metric, min(screen_verdict) as verdict,
                min(lag_days) filter (where is_peak) as peak_lag
            from {file.table("mart_lag_correlation")}
            group by product_id, signal, metric
        ),
        peaks as (
            select screened.*, lags.correlation, lags.null_low, lags.null_high, lags.p_sidak,
                lags.q_value, lags.n_days, lags.n_eff
            from screened
            left join {file.table("mart_lag_correlation")} as lags
                on lags.product_id = screened.product_id and lags.signal = screened.signal
                and lags.metric = screened.metric and lags.lag_days = screened.peak_lag
        )
        select coalesce(gates.product_id, peaks.product_id), coalesce(gates.signal, peaks.signal),
            coalesce(gates.metric, peaks.metric), gates.gate, gates.reason, gates.what_is_missing,
            gates.days_observed, gates.days_needed, gates.missing_day_ratio, gates.posts_per_day,
            gates.units_per_day, peaks.verdict, peaks.peak_lag, peaks.correlation, peaks.null_low,
            peaks.null_high, peaks.p_sidak, peaks.q_value, peaks.n_days, peaks.n_eff
        from {file.table("mart_sufficiency")} as gates
        full join peaks
            on gates.product_id = peaks.product_id and gates.signal = peaks.signal
            and gates.metric = peaks.metric
        order by 1, 2, 3
        """
    )
    pairs: dict[str, list[Pair]] = {}
    for row in rows:
        key = (row[0], row[1], row[2])
        try:
            pair = _pair(row, claims.get(key), links.get(key), effects.get(key), stability.get(key))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise InsightsError(
                f"{file.file}: mart_sufficiency or mart_lag_correlation, product {row[0]!r}, "
                f"{row[1]} and {row[2]}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}.",
                "Build again with social-signals run.",
            ) from error
        pairs.setdefault(row[0], []).append(pair)
    return pairs


def _pair(
    row: tuple[Any, ...],
    claim: Claim | None,
    link: dict[str, Any] | None,
    effect: dict[str, Any] | None,
    stability: float | None,
) -> Pair:
    return Pair(
        signal=row[1],
        metric=row[2],
        gate=row[3],
        reason=row[4] or "",
        what_is_missing=row[5] or "",
        days_observed=_integer(row[6]),
        days_needed=_integer(row[7]),
        missing_day_ratio=_number(row[8]),
        posts_per_day=_number(row[9]),
        units_per_day=_number(row[10]),
        verdict=verdict_of(row[3], row[11], claim),
        strongest=_strongest(row[12:]),
        link=Link(**link) if link else None,
        effect=Effect(**effect) if effect else None,
        stability_ratio=_number(stability),
    )


_LINK_NUMBERS = ("p_value", "q_value", "reverse_q_value")
_LINK_COUNTS = ("lag_days", "width_days", "reverse_lag_days", "n_days", "products_tested")
_EFFECT_NUMBERS = ("minimum_detectable_effect_ratio", "reliability_ratio", "signal_sd")


def _read_links(file: Published) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What mart_lead_lag says of each pair; empty for a file without it."""
    columns = ("verdict", *_LINK_NUMBERS, *_LINK_COUNTS)
    return {
        key: {"verdict_today": row.pop("verdict"), **row}
        for key, row in _by_pair(file, "mart_lead_lag", columns).items()
    }


def _read_effects(file: Published) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What mart_effect says of each pair; empty for a file without it."""
    columns = ("is_percentage_allowed", "percentage_reason", *_EFFECT_NUMBERS)
    found = _by_pair(file, "mart_effect", columns)
    for row in found.values():
        row["is_percentage_allowed"] = row["is_percentage_allowed"] is True
        row["percentage_reason"] = row["percentage_reason"] or ""
    return found


def _read_stability(file: Published) -> dict[tuple[str, str, str], float | None]:
    """Share of the defensible choices that agree, by pair; empty for a file without them."""
    if not file.has("mart_link_stability", "product_id", "signal", "metric", "stability_ratio"):
        return {}
    return {
        (row[0], row[1], row[2]): row[3]
        for row in file.rows(
            "select product_id, signal, metric, max(stability_ratio) "
            f"from {file.table('mart_link_stability')} group by 1, 2, 3"
        )
    }


def _by_pair(
    file: Published, table: str, columns: tuple[str, ...]
) -> dict[tuple[str, str, str], dict[str, Any]]:
    if not file.has(table, "product_id", "signal", "metric", *columns):
        return {}
    found = {}
    for product_id, signal, metric, *values in file.rows(
        f"select product_id, signal, metric, {', '.join(columns)} from {file.table(table)}"
    ):
        row = dict(zip(columns, values, strict=True))
        for name in (*_LINK_NUMBERS, *_EFFECT_NUMBERS):
            if name in row:
                row[name] = _number(row[name])
        for name in _LINK_COUNTS:
            if name in row:
                row[name] = _integer(row[name])
        found[product_id, signal, metric] = row
    return found


def _strongest(row: tuple[Any, ...]) -> Strongest | None:
    lag, correlation = row[0], _number(row[1])
    if lag is None or correlation is None:
        return None
    low, high = _number(row[2]), _number(row[3])
    return Strongest(
        lag_days=int(lag),
        correlation=correlation,
        null_low=low,
        null_high=high,
        is_outside_null_band=bool(
            (high is not None and correlation > high) or (low is not None and correlation < low)
        ),
        p_sidak=_number(row[4]),
        q_value=_number(row[5]),
        n_days=_integer(row[6]),
        n_eff=_number(row[7]),
    )


def _number(value: float | Decimal | None) -> float | None:
    """Six significant digits: the rest differs from machine to machine and means nothing."""
    number = number_or_none(value)
    return None if number is None else float(f"{number:.6g}")


def _integer(value: float | Decimal | None) -> int | None:
    number = number_or_none(value)
    return None if number is None else int(number)


_CARD_COLUMNS = (
    "insight_id", "signal", "metric", "verdict", "headline", "detail", "recommendation", "caveat",
)  # fmt: skip
_CLAIM_COLUMNS = (
    "lag_days", "uplift_ratio", "uplift_low_ratio", "uplift_high_ratio", "q_value",
    "reverse_q_value", "n_days", "look_status", "look_reason", "first_claimed_date",
    "evidence_sql", "data_hash", "model_revision",
)  # fmt: skip


def _read_cards(file: Published) -> dict[str, list[dict[str, Any]]]:
    """The cards by product; what an older file does not hold is None."""
    there = [name for name in _CLAIM_COLUMNS if file.has("mart_insights", name)]
    names = (*_CARD_COLUMNS, *there)
    cards: dict[str, list[dict[str, Any]]] = {}
    for product_id, evidence, *values in file.rows(
        f"select product_id, evidence::varchar, {', '.join(names)} "
        f"from {file.table('mart_insights')} order by product_id, signal, metric, insight_id"
    ):
        row: dict[str, Any] = dict.fromkeys(_CLAIM_COLUMNS)
        row |= dict(zip(names, values, strict=True))
        cards.setdefault(product_id, []).append({**row, "evidence": evidence})
    return cards


def _days_observed(file: Published, catalogue: Catalogue) -> dict[str, int]:
    """Days of each product with both a mood and the outcome that stands for its sales."""
    by_outcome: dict[str, list[str]] = {}
    for subject in catalogue.subjects:
        if subject.outcome:
            by_outcome.setdefault(subject.outcome, []).append(subject.product_id)
    found: dict[str, int] = {}
    for outcome, products in by_outcome.items():
        signals = file.table("fct_daily_signals")
        if file.has("fct_daily_signals", outcome):
            query = (
                f"select product_id, count(*) from {signals} where product_id in (select unnest(?))"
                f' and {MOOD} is not null and "{outcome}" is not null group by 1'
            )
            rows = file.rows(query, [products])
        else:
            query = (
                f"select s.product_id, count(distinct s.date_day) from {signals} as s "
                f"join {file.table('fct_daily_metrics')} as m on s.product_id = m.product_id "
                "and s.date_day = m.date_day where m.metric = ? and m.value is not null "
                f"and s.{MOOD} is not null and s.product_id in (select unnest(?)) group by 1"
            )
            rows = file.rows(query, [outcome, products])
        found |= {row[0]: int(row[1]) for row in rows}
    return found


def _read_products(file: Published) -> dict[str, tuple[str | None, str | None, bool]]:
    """Name, category and whether anything of it is simulated, by product."""
    simulated = dict(
        file.rows(
            "select product_id, coalesce(bool_or(is_simulated), false) "
            f"from {file.table('fct_daily_signals')} group by 1"
        )
    )
    named = {}
    if file.has("dim_products", "product_id", "product_name", "category"):
        named = {
            row[0]: row[1:]
            for row in file.rows(
                "select product_id, any_value(product_name), any_value(category) "
                f"from {file.table('dim_products')} where product_id is not null group by 1"
            )
        }
    return {
        product_id: (*named.get(product_id, (None, None)), bool(simulated.get(product_id)))
        for product_id in set(simulated) | set(named)
    }


def _model_revision(file: Published) -> str | None:
    if not file.has("fct_posts", "model_revision"):
        return None
    rows = file.rows(
        f"select model_revision, count(*) from {file.table('fct_posts')} "
        "where model_revision is not null group by 1 order by 2 desc, 1 limit 1"
    )
    return str(rows[0][0]) if rows else None


# Cards ------------------------------------------------------------------------------------------


def _product(
    subject: Subject,
    pairs: dict[str, list[Pair]],
    cards: dict[str, list[dict[str, Any]]],
    observed: dict[str, int],
    about: dict[str, tuple[str | None, str | None, bool]],
) -> ProductInsights:
    name, category, is_simulated = about.get(subject.product_id, (None, None, False))
    own = pairs.get(subject.product_id, [])
    main = next((p for p in own if (p.signal, p.metric) == (MOOD, subject.outcome)), None)
    made = [_card(row, subject.product_id) for row in cards.get(subject.product_id, [])]
    wanted = (MOOD, subject.outcome)
    chosen = next((card for card in made if (card.signal, card.metric) == wanted), None)
    chosen = chosen or next((card for card in made if card.signal is None), None)
    if chosen is None or (main is not None and chosen.verdict != main.verdict):
        chosen = compose_card(subject, main)
    return ProductInsights(
        product_id=subject.product_id,
        product_name=name or subject.product_id,
        category=category,
        is_simulated=is_simulated,
        outcome=subject.outcome,
        days_observed=observed.get(subject.product_id, 0),
        posts_count=subject.posts_count,
        outcome_total=_total(subject.total),
        **{name: getattr(chosen, name) for name in Statement.model_fields},
        pairs=own,
        cards=made,
    )


def _total(value: float | None) -> float | None:
    # A sum keeps its units and cents, and loses what adding in another order changes.
    return None if value is None else round(value, 2)


def _card(row: dict[str, Any], product_id: str) -> Card:
    texts = ("headline", "detail", "recommendation", "caveat")
    ratios = ("uplift_ratio", "uplift_low_ratio", "uplift_high_ratio", "q_value", "reverse_q_value")
    same = ("insight_id", "signal", "metric", "verdict", "look_status", "look_reason",
            "first_claimed_date", "data_hash", "model_revision")  # fmt: skip
    return Card(
        **{name: row[name] for name in same},
        **{name: row[name] or "" for name in texts},
        **{name: _number(row[name]) for name in ratios},
        lag_days=_integer(row["lag_days"]),
        n_days=_integer(row["n_days"]),
        evidence=_evidence(product_id, row),
    )


def _evidence(product_id: str, row: dict[str, Any]) -> Evidence:
    details = _details(row["evidence"])
    sql = details.pop("sql", None)
    if row["evidence_sql"]:
        sql = row["evidence_sql"]
    if not isinstance(sql, str):
        sql = evidence_sql(product_id, row["signal"], row["metric"])
    return Evidence(sql=sql, details=details)


def _details(evidence: str | None) -> dict[str, Any]:
    if not evidence:
        return {}
    try:
        read = json.loads(evidence)
    except json.JSONDecodeError:
        return {"text": evidence}
    return _finite(read) if isinstance(read, dict) else {"value": _finite(read)}


def _finite(value: Json) -> Json:
    """JSON without NaN and Infinity, which JSON does not know: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return value


def evidence_sql(product_id: str, signal: str | None, metric: str | None) -> str:
    """A query that a reader can paste into the published file to see what a card rests on."""

    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    conditions = [f"product_id = {literal(product_id)}"]
    if signal is not None:
        conditions.append(f"signal = {literal(signal)}")
    if metric is not None:
        conditions.append(f"metric = {literal(metric)}")
    columns = "signal, metric, lag_days, correlation, null_low, null_high, n_days, n_eff, q_value"
    return (
        f"select {columns} from marts.mart_lag_correlation where {' and '.join(conditions)} "
        "order by signal, metric, lag_days"
    )


def compose_card(subject: Subject, pair: Pair | None) -> Card:
    """A card for a product whose marts hold none, from its main pair. It claims nothing."""
    signal, metric = (pair.signal, pair.metric) if pair else (None, None)
    verdict: Verdict = pair.verdict if pair else "insufficient"
    link = pair.link if pair else None
    effect = pair.effect if pair else None
    missing = ""
    if pair is not None:
        missing = missing_words(pair.gate, pair.reason, pair.what_is_missing)
    gate = pair.gate if pair else None
    outcome = measure(subject.outcome).words if subject.outcome else "sales"
    card = write_card(
        CardFacts(
            product_name=subject.name,
            signal_words="mood",
            metric_words=outcome,
            verdict=verdict,
            gate="blocked" if gate in {"tested", "full"} and verdict == "insufficient" else gate,
            reason=missing or "no day has both a mood and an outcome",
            what_is_missing=_collect_words(pair, missing),
            days_observed=pair.days_observed if pair else 0,
            days_needed=pair.days_needed if pair else None,
            q=link.q_value if link else pair.strongest.q_value if pair and pair.strongest else None,
            reverse_q=link.reverse_q_value if link else None,
            n_days=(link.n_days if link else None) or (pair.days_observed if pair else None),
            minimum_detectable_effect=effect.minimum_detectable_effect_ratio if effect else None,
            products_tested=link.products_tested if link else None,
        )
    )
    return Card(
        insight_id=f"{subject.product_id}|composed",
        signal=signal,
        metric=metric,
        verdict=verdict,
        lag_days=None,
        uplift_ratio=None,
        uplift_low_ratio=None,
        uplift_high_ratio=None,
        q_value=link.q_value if link else None,
        reverse_q_value=link.reverse_q_value if link else None,
        n_days=link.n_days if link else None,
        look_status=None,
        look_reason=None,
        first_claimed_date=None,
        headline=card.headline,
        detail=card.detail,
        recommendation=card.recommendation,
        caveat=card.caveat,
        evidence=Evidence(sql=evidence_sql(subject.product_id, signal, metric)),
        data_hash=None,
        model_revision=None,
    )


def _collect_words(pair: Pair | None, missing: str) -> str:
    if pair is None:
        return "posts that mention the product, and sales that are mapped to it"
    return missing_words(None, pair.what_is_missing, missing)
