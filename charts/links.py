"""What the marts about links say, product by product: sizes, forecasts, placebos, sufficiency.

Every mart may be missing in a file of an older version: then there is nothing to read, no error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from charts.reading import (
    CLAIMS,
    MOOD,
    UNTESTED_GATES,
    Catalogue,
    Claim,
    Published,
    Subject,
    missing_words,
    number_or_none,
    read_claims,
    verdict_of,
)
from charts.style import clean

ALL_PRODUCTS = "all"


def signal_of(published: Published) -> str:
    """The signal of most primary pairs; the mood where the file does not say."""
    if not published.has("mart_lead_lag", "signal", "is_primary"):
        return MOOD
    rows = published.rows(
        f"select signal from {published.table('mart_lead_lag')} where is_primary "
        f"group by signal order by count(*) desc, signal <> '{MOOD}', signal limit 1"
    )
    return str(rows[0][0]) if rows else MOOD


def outcome_of(subject: Subject, judged: dict[str, list[str]]) -> str:
    """The outcome that stands for a product's sales, or another that was judged."""
    metrics = judged.get(subject.product_id, [])
    if subject.outcome in metrics or not metrics:
        return subject.outcome or ""
    return metrics[0]


# Gates ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """What the data of a pair can bear. Numbers are None where the file does not know them."""

    subject: Subject
    metric: str
    gate: str
    reason: str
    missing: str
    days_observed: int | None
    days_open: int | None
    days_needed: int | None
    missing_day_ratio: float | None
    posts_per_day: float | None
    is_percentage_allowed: bool | None

    @property
    def is_tested(self) -> bool:
        """Whether the pair may be tested."""
        return bool(self.gate) and self.gate not in UNTESTED_GATES


def read_gates(published: Published, catalogue: Catalogue, signal: str) -> list[Gate]:
    """The gate of each product's pair; products that the mart does not hold are left out."""
    rows = _gate_rows(published, signal)
    judged: dict[str, list[str]] = {}
    for product_id, metric in rows:
        judged.setdefault(product_id, []).append(metric)
    gates = []
    for subject in catalogue.subjects:
        metric = outcome_of(subject, judged)
        if (subject.product_id, metric) in rows:
            gates.append(_gate(subject, metric, rows[subject.product_id, metric]))
    return gates


def read_gates_by_outcome(published: Published, signal: str) -> list[tuple[str, str, int]]:
    """Outcome, gate and number of products, of outcomes that any product has days of."""
    if not published.has("mart_sufficiency", "signal", "metric", "gate", "days_observed"):
        return []
    return [
        (row[0], row[1], int(row[2]))
        for row in published.rows(
            "select metric, gate, sum(products)::bigint from (select metric, gate, "
            "count(*) as products, max(max(days_observed)) over (partition by metric) as days "
            f"from {published.table('mart_sufficiency')} where signal = ? group by metric, gate) "
            "where days > 0 group by all order by all",
            [signal],
        )
    ]


def _gate_rows(published: Published, signal: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    if not published.has("mart_sufficiency", "gate"):
        return {}
    is_counted = published.has("mart_sufficiency", "days_open")
    days_open = "days_open" if is_counted else "days_observed"
    return {
        (row[0], row[1]): row[2:]
        for row in published.rows(
            f"""
            select product_id, metric, gate, reason, what_is_missing, days_observed, {days_open},
                days_needed, missing_day_ratio, posts_per_day, is_percentage_allowed
            from {published.table("mart_sufficiency")} where signal = ?
            order by product_id, metric
            """,
            [signal],
        )
    }


def _gate(subject: Subject, metric: str, row: tuple[Any, ...]) -> Gate:
    return Gate(
        subject=subject,
        metric=metric,
        gate=row[0] or "",
        reason=plain(row[1]),
        missing=plain(row[2]),
        days_observed=row[3],
        days_open=row[4],
        days_needed=row[5],
        missing_day_ratio=number_or_none(row[6]),
        posts_per_day=number_or_none(row[7]),
        is_percentage_allowed=row[8],
    )


def plain(text: str | None) -> str:
    """A reason in words for people rather than names of columns."""
    return clean(missing_words("blocked", text, None)) if text else ""


# Sizes ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """What one product's mood goes with. `low`, `high` only where a size may be stated."""

    subject: Subject
    metric: str
    verdict: str
    lag_days: int | None
    width_days: int | None
    estimate: float | None
    low: float | None
    high: float | None
    detectable: float | None
    q_value: float | None
    n_days: int | None
    why: str
    """Why no size is stated, or why nothing was tested."""
    stability: float | None = None
    """Share of other defensible choices that find a claim again."""

    @property
    def has_size(self) -> bool:
        """Whether an interval may be shown."""
        return self.low is not None and self.high is not None


def read_effects(published: Published, catalogue: Catalogue, signal: str) -> list[Effect]:
    """One row a product; the verdict is the card's, and so is whether a size is stated."""
    columns = ("uplift_ratio", "minimum_detectable_effect_ratio", "n_days", "width_days")
    measured: dict[tuple[str, str], tuple[Any, ...]] = {}
    if published.has("mart_effect", *columns):
        why = "percentage_reason" if published.has("mart_effect", "percentage_reason") else "null"
        measured = {
            (row[0], row[1]): row[2:]
            for row in published.rows(
                f"select product_id, metric, {', '.join(columns)}, {why} "
                f"from {published.table('mart_effect')} where signal = ?",
                [signal],
            )
        }
    claims = read_claims(published)
    gates = _gate_rows(published, signal)
    reasons = _reasons(published, signal)
    stability = _stability(published, signal)
    judged: dict[str, list[str]] = {}
    for product_id, metric in sorted({*gates, *measured}):
        judged.setdefault(product_id, []).append(metric)
    effects = []
    for subject in catalogue.subjects:
        metric = outcome_of(subject, judged)
        key = (subject.product_id, metric)
        claim = claims.get((subject.product_id, signal, metric))
        gate = gates[key][0] if key in gates else None
        reason = reasons.get(key) or (gates[key][1] if key in gates else None)
        found = _effect(subject, metric, (gate, reason), measured.get(key), claim)
        if found.verdict in CLAIMS:
            found = replace(found, stability=stability.get(key))
        effects.append(found)
    return effects


def _stability(published: Published, signal: str) -> dict[tuple[str, str], float | None]:
    if not published.has("mart_link_stability", "product_id", "metric", "stability_ratio"):
        return {}
    return {
        (row[0], row[1]): number_or_none(row[2])
        for row in published.rows(
            "select product_id, metric, max(stability_ratio) "
            f"from {published.table('mart_link_stability')} where signal = ? group by all",
            [signal],
        )
    }


def _reasons(published: Published, signal: str) -> dict[tuple[str, str], str | None]:
    """Why a pair was not tested: an open gate whose series leave nothing to test has its own."""
    if not published.has("mart_lead_lag", "product_id", "signal", "metric", "reason"):
        return {}
    return {
        (row[0], row[1]): row[2]
        for row in published.rows(
            f"select product_id, metric, reason from {published.table('mart_lead_lag')} "
            "where signal = ?",
            [signal],
        )
    }


def _effect(
    subject: Subject,
    metric: str,
    gate: tuple[str | None, str | None],
    measured: tuple[Any, ...] | None,
    claim: Claim | None,
) -> Effect:
    verdict = verdict_of(gate[0], None, claim)
    numbers = measured or (None,) * 5
    low, high = (claim.uplift_low, claim.uplift_high) if claim else (None, None)
    if verdict not in CLAIMS or low is None or high is None:
        low = high = None
    if verdict == "insufficient":
        why = plain(gate[1]) or "no day with both series"
    else:
        why = plain(numbers[4])
    return Effect(
        subject=subject,
        metric=metric,
        verdict=verdict,
        lag_days=claim.lag_days if claim else None,
        width_days=numbers[3],
        estimate=number_or_none(numbers[0]) if low is not None else None,
        low=low,
        high=high,
        detectable=number_or_none(numbers[1]) if verdict == "none" else None,
        q_value=claim.q_value if claim else None,
        n_days=(claim.n_days if claim else None) or numbers[2],
        why=why,
    )


@dataclass(frozen=True, slots=True)
class Pooled:
    """The effect that the products of a category share. A size only where one may be stated."""

    category: str
    products_count: int
    n_days: int | None
    lag_days: int | None
    estimate: float | None
    low: float | None
    high: float | None
    q_value: float | None
    is_tested: bool
    is_size_allowed: bool
    why: str

    @property
    def has_size(self) -> bool:
        """Whether an interval may be shown."""
        return self.low is not None and self.high is not None


def read_pooled(published: Published, signal: str, metric: str) -> list[Pooled]:
    """All products first, then the categories, the smallest q first."""
    columns = (
        "category", "products_count", "n_days", "lag_days", "uplift_ratio", "uplift_low_ratio",
        "uplift_high_ratio", "q_value", "is_tested", "is_percentage_allowed", "reason",
    )  # fmt: skip
    if not published.has("mart_pooled_effect", "signal", "metric", *columns):
        return []
    rows = published.rows(
        f"select {', '.join(columns)} from {published.table('mart_pooled_effect')} "
        f"where signal = ? and metric = ? order by category <> '{ALL_PRODUCTS}', "
        "q_value nulls last, category",
        [signal, metric],
    )
    pooled = []
    for row in rows:
        is_tested, is_allowed = bool(row[8]), bool(row[9])
        sizes = [number_or_none(value) if is_tested and is_allowed else None for value in row[4:7]]
        if sizes[1] is None or sizes[2] is None:
            sizes = [None] * 3
        pooled.append(
            Pooled(
                category="all products" if row[0] == ALL_PRODUCTS else clean(row[0] or ""),
                products_count=int(row[1] or 0),
                n_days=row[2],
                lag_days=row[3],
                estimate=sizes[0],
                low=sizes[1],
                high=sizes[2],
                q_value=number_or_none(row[7]),
                is_tested=is_tested,
                is_size_allowed=is_allowed,
                why=plain(row[10]),
            )
        )
    return pooled


# Forecasts --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Skill:
    """Forecasts of one product's outcome with and without the signal."""

    subject: Subject
    metric: str
    horizon_days: int
    error_without: float | None
    error_with: float | None
    improvement: float | None
    q_value: float | None
    forecasts_count: int
    is_predictive: bool
    is_tested: bool
    why: str


def read_skill(published: Published, catalogue: Catalogue, signal: str) -> list[Skill]:
    """Every product's primary pair, by horizon, in the catalogue's order."""
    columns = (
        "horizon_days", "mase_without", "mase_with", "improvement_ratio", "q_value",
        "forecasts_count", "is_predictive", "is_tested", "reason",
    )  # fmt: skip
    if not published.has("mart_skill", "product_id", "signal", "metric", *columns):
        return []
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    judged: dict[str, list[str]] = {}
    for row in published.rows(
        f"select product_id, metric, {', '.join(columns)} from {published.table('mart_skill')} "
        "where signal = ? order by product_id, metric, horizon_days",
        [signal],
    ):
        if (row[0], row[1]) not in found:
            judged.setdefault(row[0], []).append(row[1])
        found.setdefault((row[0], row[1]), []).append(row[2:])
    skills = []
    for subject in catalogue.subjects:
        metric = outcome_of(subject, judged)
        for row in found.get((subject.product_id, metric), []):
            errors = [number_or_none(value) for value in row[1:3]]
            is_tested = bool(row[7]) and None not in errors
            skills.append(
                Skill(
                    subject=subject,
                    metric=metric,
                    horizon_days=int(row[0]),
                    error_without=errors[0] if is_tested else None,
                    error_with=errors[1] if is_tested else None,
                    improvement=number_or_none(row[3]) if is_tested else None,
                    q_value=number_or_none(row[4]),
                    forecasts_count=int(row[5] or 0),
                    is_predictive=bool(row[6]) and is_tested,
                    is_tested=is_tested,
                    why=plain(row[8]) or "no forecast was compared",
                )
            )
    return skills


def count_skill(published: Published) -> tuple[int, int]:
    """How many forecasts of any signal and outcome were compared, and how many are better."""
    if not published.has("mart_skill", "is_tested", "is_predictive"):
        return 0, 0
    tested, better = published.rows(
        "select count(*) filter (where is_tested), count(*) filter (where is_predictive) "
        f"from {published.table('mart_skill')}"
    )[0]
    return int(tested), int(better)


# Placebos ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placebo:
    """The lead test where there can be no link, and beside it what it said of real pairs."""

    signal: str
    metric: str
    tests_count: int
    left_out_count: int
    share: float | None
    low: float | None
    high: float | None
    is_as_expected: bool | None
    real_tested: int
    real_below: int
    real_claimed: int


def read_placebos(published: Published) -> list[Placebo]:
    """One row a signal and outcome, in the order of their names."""
    columns = (
        "signal", "metric", "tests_count", "left_out_count", "share_below_05_ratio", "low", "high",
        "is_as_expected",
    )  # fmt: skip
    if not published.has("mart_placebo_audit", *columns):
        return []
    real = _real_pairs(published)
    placebos = []
    for row in published.rows(
        f"select {', '.join(columns)} from {published.table('mart_placebo_audit')} order by 1, 2"
    ):
        share, low, high = (number_or_none(value) for value in row[4:7])
        tested, below, claimed = real.get((row[0], row[1]), (0, 0, 0))
        placebos.append(
            Placebo(
                row[0], row[1], int(row[2] or 0), int(row[3] or 0), share, low, high, row[7],
                tested, below, claimed,
            )
        )  # fmt: skip
    return placebos


def _real_pairs(published: Published) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Tested, with p < .05 for the signal coming first, and claimed so, by signal and outcome."""
    if not published.has("mart_lead_lag", "signal", "metric", "p_value", "verdict"):
        return {}
    found = {
        (row[0], row[1]): [int(row[2]), int(row[3]), 0]
        for row in published.rows(
            "select signal, metric, count(p_value), count(*) filter (where p_value < .05) "
            f"from {published.table('mart_lead_lag')} group by all"
        )
    }
    for (_, signal, metric), claim in read_claims(published).items():
        # A placebo is counted in the direction signal first: so are the real pairs.
        if claim.verdict in {"social_leads", "feedback"} and (signal, metric) in found:
            found[signal, metric][2] += 1
    return {key: (counts[0], counts[1], counts[2]) for key, counts in found.items()}
