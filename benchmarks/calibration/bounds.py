"""Measured rates with exact one-sided bounds, and whether they keep a goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

Array = np.ndarray[Any, np.dtype[Any]]
Goal = Literal["at most", "at least", "none"]

CONFIDENCE = 0.95


def upper_bound(hits: int, n: int, *, confidence: float = CONFIDENCE) -> float:
    """Largest rate that `hits` of `n` do not rule out (Clopper & Pearson 1934, one-sided)."""
    if n == 0 or hits == n:
        return 1.0
    return float(stats.beta.ppf(confidence, hits + 1, n - hits))


def lower_bound(hits: int, n: int, *, confidence: float = CONFIDENCE) -> float:
    """Smallest rate that `hits` of `n` do not rule out (Clopper & Pearson 1934, one-sided)."""
    if n == 0 or hits == 0:
        return 0.0
    return float(stats.beta.ppf(1 - confidence, hits, n - hits + 1))


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured figure: a rate (`hits` of `n`) or, with `hits` null, a value with its bounds.

    `low` and `high` are each a one-sided 95 % bound. `outcome`: `holds` if the figure itself keeps
    the goal, `unclear` if it does not but its bound does, `missed` if even the bound does not.
    """

    cell: str
    name: str
    n: int
    hits: int | None
    value: float
    low: float
    high: float
    goal: Goal = "none"
    goal_value: float = float("nan")
    remark: str = ""

    @property
    def outcome(self) -> str:
        """Whether the goal is kept, judged with the bound."""
        if self.goal == "none":
            return ""
        if self.n == 0:
            return "no cases"
        if self.goal == "at most":
            holds, may_hold = self.value <= self.goal_value, self.low <= self.goal_value
        else:
            holds, may_hold = self.value >= self.goal_value, self.high >= self.goal_value
        return "holds" if holds else "unclear" if may_hold else "missed"


def rate(
    cell: str,
    name: str,
    hits: Array | int,
    n: int | None = None,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    remark: str = "",
) -> Measure:
    """A rate from an array of booleans, or from a number of hits of `n`."""
    if n is None:
        flags = np.asarray(hits, dtype=bool)
        count, cases = int(flags.sum()), int(flags.size)
    else:
        count, cases = int(np.asarray(hits)), n
    goal, goal_value = _goal(at_most, at_least)
    return Measure(
        cell=cell,
        name=name,
        n=cases,
        hits=count,
        value=count / cases if cases else float("nan"),
        low=lower_bound(count, cases),
        high=upper_bound(count, cases),
        goal=goal,
        goal_value=goal_value,
        remark=remark,
    )


def median(
    cell: str,
    name: str,
    values: Array,
    *,
    between: tuple[float, float] | None = None,
    remark: str = "",
) -> list[Measure]:
    """A median with its sign-test bounds; a goal on both sides makes two lines."""
    kept = np.sort(np.asarray(values, dtype=float)[np.isfinite(values)])
    n = len(kept)
    if n == 0:
        low = high = value = float("nan")
    else:
        reach = int(stats.binom.ppf(1 - CONFIDENCE, n, 0.5))
        low, high = float(kept[max(0, reach - 1)]), float(kept[min(n - 1, n - reach)])
        value = float(np.median(kept))

    def line(goal: Goal, goal_value: float) -> Measure:
        return Measure(cell, name, n, None, value, low, high, goal, goal_value, remark)

    if between is None:
        return [line("none", float("nan"))]
    return [line("at least", between[0]), line("at most", between[1])]


def _goal(at_most: float | None, at_least: float | None) -> tuple[Goal, float]:
    if at_most is not None:
        return "at most", at_most
    if at_least is not None:
        return "at least", at_least
    return "none", float("nan")
