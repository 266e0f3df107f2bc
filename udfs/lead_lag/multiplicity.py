"""From p-values to verdicts: what is left after correcting for the number of questions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from udfs.lead_lag.panel import BoolArray, Decisions, FloatArray, LinkTests, TextArray

CLAIM_LEVEL = 0.05  # q of a claim, and of the reverse direction that forbids one
# Both directions together would announce something in 7 of 100 shops without a link; a claim of
# the reverse direction alone therefore takes a tenth of the level, which keeps the sum below 6.
SALES_LEAD_LEVEL = 0.005
WATCH_LEVEL = 0.20
# Every rebuild looks again. For the first time a card claims at this q, and after the first look at
# its product only if the same claim has stood at every look of STANDING_DAYS (docs/decisions/0008).
FIRST_CLAIM_LEVEL = 0.01
STANDING_DAYS = 28
PRIMARY_SHARE = 0.8  # of the level, for the primary family


def benjamini_hochberg(p: npt.ArrayLike, *, groups: npt.NDArray[Any] | None = None) -> FloatArray:
    """q-values (M,) of Benjamini & Hochberg (1995), within each group if given; NaN stay NaN."""
    values = np.asarray(p, dtype=np.float64)
    q = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if known.size == 0:
        return q
    if groups is None:
        group = np.zeros(known.size, dtype=np.int64)
    else:
        group = np.unique(np.asarray(groups)[known], return_inverse=True)[1]
    order = np.lexsort((values[known], group))
    sorted_group, sorted_p = group[order], values[known][order]
    size = np.bincount(group)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank = np.arange(known.size) - first[sorted_group] + 1
    raw = sorted_p * size[sorted_group] / rank
    # The running minimum from the largest p of each group, over ranks: each group starts lower than
    # the one behind it, and whole numbers keep the smallest q exact.
    value, place = np.unique(raw, return_inverse=True)
    start = sorted_group * len(value)
    least = value[np.minimum.accumulate((place + start)[::-1])[::-1] - start]
    least = np.maximum(least, sorted_p)  # m p / m may round below p
    q[known[order]] = np.minimum(least, 1.0)
    return q


def decide(tests: LinkTests) -> Decisions:
    """Verdicts of one family: one signal and one outcome over many products."""
    return _verdicts(
        benjamini_hochberg(tests.p),
        benjamini_hochberg(tests.reverse_p),
        tests.is_lag_confirmed,
        tests.is_reverse_lag_confirmed,
    )


def decide_families(
    family: TextArray,
    is_primary: BoolArray,
    p: FloatArray,
    reverse_p: FloatArray,
    is_lag_confirmed: BoolArray,
    is_reverse_lag_confirmed: BoolArray,
) -> Decisions:
    """Verdicts of many families at once; arrays of shape (M,), NaN p where not tested.

    The primary families take `PRIMARY_SHARE` of the level, the others the rest by Benjamini &
    Bogomolov (2014). q-values are published as multiples of the share, so that q <= .05 claims
    everywhere.
    """
    return _verdicts(
        _hierarchical(family, is_primary, p),
        _hierarchical(family, is_primary, reverse_p),
        is_lag_confirmed,
        is_reverse_lag_confirmed,
    )


def selective_q(family: TextArray, p: FloatArray) -> FloatArray:
    """q-values (M,) of Benjamini & Bogomolov (2014), "Selective inference on multiple families".

    At level a, the families whose Simes p passes Benjamini-Hochberg are selected, R of F, and each
    is tested at a R / F. The q-value is the least a at which a hypothesis is rejected.
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if known.size == 0:
        return q
    names, member = np.unique(family[known].astype(str), return_inverse=True)
    within = benjamini_hochberg(p[known], groups=member)
    simes = np.full(len(names), np.inf)
    np.minimum.at(simes, member, within)  # the least q of a family is its Simes p
    of_family = benjamini_hochberg(simes)
    level = np.unique(of_family)
    selected = np.searchsorted(np.sort(of_family), level, side="right")
    reached = np.maximum(level, within[:, None] * len(names) / selected)
    reached = np.where(level >= of_family[member][:, None], reached, np.inf)
    q[known] = np.minimum(reached.min(axis=1), 1.0)
    return q


def _hierarchical(family: TextArray, is_primary: BoolArray, p: FloatArray) -> FloatArray:
    known = ~np.isnan(p)
    parts = [known & is_primary, known & ~is_primary]
    # A share that no family can use goes to the other.
    shares = [PRIMARY_SHARE, 1 - PRIMARY_SHARE] if all(np.any(part) for part in parts) else [1, 1]
    q = np.full(p.shape, np.nan)
    for part, share in zip(parts, shares, strict=True):
        if np.any(part):
            found = selective_q(family[part], p[part])
            q[part] = np.clip(found / share, p[part], 1.0)
    return q


def _verdicts(
    q: FloatArray,
    reverse_q: FloatArray,
    is_lag_confirmed: BoolArray,
    is_reverse_lag_confirmed: BoolArray,
) -> Decisions:
    """Verdicts (M,) from q-values of both directions.

    What passes the level without its lag confirmed, or against a reverse direction that passes it
    too without one, is watched: a hint, not a claim.
    """
    is_reverse = reverse_q <= CLAIM_LEVEL
    leads = (q <= CLAIM_LEVEL) & is_lag_confirmed
    follows = is_reverse & is_reverse_lag_confirmed
    verdict = np.select(
        [
            np.isnan(q),
            leads & ~is_reverse,
            leads & follows,
            follows & (reverse_q <= SALES_LEAD_LEVEL),
            q <= WATCH_LEVEL,
        ],
        ["insufficient", "social_leads", "feedback", "sales_lead", "watchlist"],
        default="none",
    ).astype(object)
    is_claim = np.isin(verdict.astype(str), ["social_leads", "sales_lead", "feedback"])
    return Decisions(q=q, reverse_q=reverse_q, verdict=verdict, is_claim=is_claim)
