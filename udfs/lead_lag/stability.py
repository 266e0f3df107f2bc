"""How many defensible ways of doing the same test agree with the one that was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from udfs.lead_lag.links import test_links
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, LinkTests, Options, Panel

LEVEL = 0.05
LAG_TOLERANCE = 1  # days; one more if either effect is spread
RECENT_SHARE = 0.75  # of the longest window, in the check of the recent days


@dataclass(frozen=True, slots=True)
class Check:
    """One way of testing one product again.

    `row`: of the product in the panel. `is_agreeing`: p, sign and lag say the same; None where
    the check cannot be made (too few days, say). `p`, `z` are NaN and `lag_days` 0 then.
    """

    row: int
    check: str
    p: float
    z: float
    lag_days: int
    is_agreeing: bool | None


def grid(panel: Panel) -> dict[str, Options]:
    """The choices that an analyst could defend, by name; each differs from the method in one."""
    return {
        "shorter filter": Options(ar_order_max=3),
        "longer filter": Options(ar_order_max=10),
        "smoother season": Options(days_per_cosine=240),
        "rougher season": Options(days_per_cosine=60),
        "log scale": Options(scale="log"),
        "square root scale": Options(scale="sqrt"),
        "recent days": Options(last_days=int(RECENT_SHARE * panel.n_days)),
    }


def agreement(
    panel: Panel,
    tests: LinkTests,
    rows: Sequence[int] | IntArray | BoolArray,
    *,
    variants: Mapping[str, Panel] | None = None,
    is_reverse: BoolArray | None = None,
) -> tuple[FloatArray, list[Check]]:
    """Test some products again in other ways: the share that agrees, (N,), and each check.

    `rows`: which products. `variants`: panels of the same products from other data, by name
    (without suspected bots, one platform). `is_reverse` (N,): of which products the claim is that
    the outcome comes first; theirs is then the test that is repeated. The share is NaN for other
    products and for those that no check could be made of. A check agrees if p < .05, with the same
    sign, and a lag at most a day away.
    """
    index = np.asarray(rows)
    index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
    share = np.full(panel.n_products, np.nan)
    checks: list[Check] = []
    if index.size == 0:
        return share, checks
    turned = np.zeros(panel.n_products, dtype=np.bool_) if is_reverse is None else is_reverse
    tests = _claimed_direction(tests, turned)
    part = panel.select(index)
    again = {name: test_links(part, options) for name, options in grid(part).items()}
    for name, variant in (variants or {}).items():
        again[name] = test_links(variant.select(index))
    for name, both in again.items():
        found = _claimed_direction(both, turned[index])
        agrees = _agrees(tests, found, index)
        for place, row in enumerate(index):
            is_made = bool(found.is_tested[place])
            checks.append(
                Check(
                    row=int(row),
                    check=name,
                    p=float(found.p[place]),
                    z=float(found.z[place]),
                    lag_days=int(found.lag_days[place]),
                    is_agreeing=bool(agrees[place]) if is_made else None,
                )
            )
    for row in index:
        made = [
            each.is_agreeing for each in checks if each.row == row and each.is_agreeing is not None
        ]
        if made:
            share[row] = sum(made) / len(made)
    return share, checks


def _claimed_direction(tests: LinkTests, is_reverse: BoolArray) -> LinkTests:
    """The tests with the numbers of the reverse direction in the place of the lead's."""
    return replace(
        tests,
        p=np.where(is_reverse, tests.reverse_p, tests.p),
        z=np.where(is_reverse, tests.reverse_z, tests.z),
        lag_days=np.where(is_reverse, tests.reverse_lag_days, tests.lag_days),
        width_days=np.where(is_reverse, tests.reverse_width_days, tests.width_days),
    )


def _agrees(tests: LinkTests, found: LinkTests, index: IntArray) -> BoolArray:
    allowed = LAG_TOLERANCE + np.any(
        [found.width_days > 1, tests.width_days[index] > 1], axis=0
    ).astype(np.int64)
    return np.asarray(
        (found.p < LEVEL)
        & (np.sign(found.z) == np.sign(tests.z[index]))
        & (np.abs(found.lag_days - tests.lag_days[index]) <= allowed)
    )
