"""What stands behind a verdict: the test, its size, checks, forecasts and what others pool to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from charts.reading import MOOD, Published, number_or_none
from charts.report.words import plain

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One other defensible choice, and whether it agrees."""

    name: str
    is_agreeing: bool


@dataclass(frozen=True, slots=True)
class Skill:
    """Whether knowing the signal improved forecasts on unseen days at one horizon."""

    horizon_days: int
    is_tested: bool
    is_predictive: bool
    improvement: float | None
    q_value: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the products of a category, or all of them, say together."""

    category: str
    products_count: int
    lag_days: int | None
    interval: tuple[float, float] | None
    q_value: float | None
    reason: str


@dataclass(slots=True)
class Evidence:
    """Figures of one product's signal and outcome; None where the marts do not hold them."""

    gate: str = ""
    reason: str = ""
    what_is_missing: str = ""
    days_observed: int | None = None
    days_needed: int | None = None
    missing_share: float | None = None
    posts_per_day: float | None = None
    units_per_day: float | None = None
    q_value: float | None = None
    reverse_q_value: float | None = None
    width_days: int | None = None
    products_tested: int | None = None
    smallest: float | None = None
    reliability: float | None = None
    signal_sd: float | None = None
    why_no_size: str = ""
    checks: list[Check] = field(default_factory=list)
    skills: list[Skill] = field(default_factory=list)

    @property
    def agreeing(self) -> int:
        """How many of the other choices agree."""
        return sum(check.is_agreeing for check in self.checks)


def read_evidence(file: Published) -> dict[Key, Evidence]:
    """The evidence on mood and each outcome of each product."""
    found: dict[Key, Evidence] = {}
    for key, row in _pairs(
        file,
        "mart_sufficiency",
        ("gate", "reason", "what_is_missing", "days_observed", "days_needed", "missing_day_ratio",
         "posts_per_day", "units_per_day"),
    ):  # fmt: skip
        found[key] = Evidence(
            gate=row["gate"] or "",
            reason=plain(row["reason"]),
            what_is_missing=plain(row["what_is_missing"]),
            days_observed=row["days_observed"],
            days_needed=row["days_needed"],
            missing_share=number_or_none(row["missing_day_ratio"]),
            posts_per_day=number_or_none(row["posts_per_day"]),
            units_per_day=number_or_none(row["units_per_day"]),
        )
    for key, row in _pairs(
        file, "mart_lead_lag", ("q_value", "reverse_q_value", "width_days", "products_tested")
    ):
        one = found.setdefault(key, Evidence())
        one.q_value = number_or_none(row["q_value"])
        one.reverse_q_value = number_or_none(row["reverse_q_value"])
        one.width_days, one.products_tested = row["width_days"], row["products_tested"]
    for key, row in _pairs(
        file,
        "mart_effect",
        ("minimum_detectable_effect_ratio", "reliability_ratio", "signal_sd", "percentage_reason"),
    ):
        one = found.setdefault(key, Evidence())
        one.smallest = number_or_none(row["minimum_detectable_effect_ratio"])
        one.reliability = number_or_none(row["reliability_ratio"])
        one.signal_sd = number_or_none(row["signal_sd"])
        one.why_no_size = plain(row["percentage_reason"])
    _add_checks(file, found)
    _add_skills(file, found)
    return found


def _add_checks(file: Published, found: dict[Key, Evidence]) -> None:
    for key, row in _pairs(file, "mart_link_stability", ("check_name", "is_agreeing")):
        checks = found.setdefault(key, Evidence()).checks
        checks.append(Check(plain(row["check_name"], 80), row["is_agreeing"] is True))
    for one in found.values():
        one.checks.sort(key=lambda check: (check.is_agreeing, check.name))


def _add_skills(file: Published, found: dict[Key, Evidence]) -> None:
    columns = (
        "horizon_days", "is_tested", "is_predictive", "improvement_ratio", "q_value", "reason",
    )  # fmt: skip
    for key, row in _pairs(file, "mart_skill", columns):
        found.setdefault(key, Evidence()).skills.append(
            Skill(
                horizon_days=row["horizon_days"],
                is_tested=row["is_tested"] is True,
                is_predictive=row["is_predictive"] is True,
                improvement=number_or_none(row["improvement_ratio"]),
                q_value=number_or_none(row["q_value"]),
                reason=plain(row["reason"]),
            )
        )
    for one in found.values():
        one.skills.sort(key=lambda skill: skill.horizon_days)


def read_pooled(file: Published) -> dict[tuple[str, str], Pooled]:
    """What products say together, by category (`all` for every one) and outcome, for mood."""
    columns = (
        "category", "signal", "metric", "products_count", "lag_days", "uplift_low_ratio",
        "uplift_high_ratio", "q_value", "is_percentage_allowed", "is_tested", "reason",
    )  # fmt: skip
    if not file.has("mart_pooled_effect", *columns):
        return {}
    found = {}
    for row in _maps(file, "mart_pooled_effect", columns):
        low, high = (
            number_or_none(row["uplift_low_ratio"]),
            number_or_none(row["uplift_high_ratio"]),
        )
        is_sized = row["is_percentage_allowed"] is True and row["is_tested"] is True
        found[plain(row["category"], 90), row["metric"]] = Pooled(
            category=plain(row["category"], 90),
            products_count=row["products_count"] or 0,
            lag_days=row["lag_days"],
            interval=(low, high) if is_sized and low is not None and high is not None else None,
            q_value=number_or_none(row["q_value"]),
            reason=plain(row["reason"]),
        )
    return found


def _pairs(file: Published, table: str, columns: Sequence[str]) -> list[tuple[Key, dict[str, Any]]]:
    wanted = ("product_id", "signal", "metric", *columns)
    if not file.has(table, *wanted):
        return []
    return [
        ((row["product_id"], row["signal"], row["metric"]), row)
        for row in _maps(file, table, wanted)
    ]


def _maps(file: Published, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows = file.rows(
        f"select {', '.join(columns)} from {file.table(table)} where signal = ? order by all",
        [MOOD],
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]
