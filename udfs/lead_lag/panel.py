"""The shapes that every part of the statistics takes and gives.

N products on one dense calendar of T consecutive days. A day that is closed, partial or was not
observed is NaN and stays in the calendar: never zero, never left out (STATISTICS: either one
doubles false claims or ruins the power at a lag).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
DayArray: TypeAlias = npt.NDArray[np.datetime64]
TextArray: TypeAlias = npt.NDArray[np.object_]

MAX_LAG = 14
LAGS = tuple(range(-MAX_LAG, MAX_LAG + 1))  # above 0: the signal comes first

Gate = Literal["insufficient", "descriptive", "tested", "full", "blocked"]
Verdict = Literal["social_leads", "sales_lead", "feedback", "watchlist", "none", "insufficient"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One signal and one outcome of N products over the same T days.

    `signal`, `outcome`: (N, T), NaN where not observed. `signal_variance`: (N, T), the squared
    standard error of the day's signal, NaN where unknown. `posts`: (N, T), NaN where not observed.
    `promo`, `holiday`, `stock_out`: (N, T). `is_open`: (N, T), false on days that the calendar
    closes, which do not count as missing. `scale`: how the outcome is put on its scale; "auto"
    chooses log or square root per product for counts and amounts.
    """

    product_ids: tuple[str, ...]
    dates: DayArray
    signal: FloatArray
    outcome: FloatArray
    signal_variance: FloatArray
    posts: FloatArray
    promo: BoolArray
    holiday: BoolArray
    stock_out: BoolArray
    is_open: BoolArray
    categories: tuple[str | None, ...]
    scale: Literal["auto", "identity"] = "auto"

    @property
    def n_products(self) -> int:
        """Number of products, N."""
        return len(self.product_ids)

    @property
    def n_days(self) -> int:
        """Days of the calendar, T."""
        return len(self.dates)

    def select(self, rows: Sequence[int] | IntArray | BoolArray) -> Panel:
        """Return the panel of some products, in the order given."""
        index = np.asarray(rows)
        if index.size == 0:  # an empty list would be floats
            index = index.astype(np.int64)
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        picked: dict[str, Any] = {
            "product_ids": tuple(self.product_ids[i] for i in index),
            "categories": tuple(self.categories[i] for i in index),
        }
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray) and value.ndim == 2:
                picked[each.name] = value[index]
        return replace(self, **picked)


def build_panel(
    product_id: Sequence[str] | TextArray,
    day: DayArray,
    columns: Mapping[str, npt.ArrayLike],
    *,
    category: Mapping[str, str | None] | None = None,
    scale: Literal["auto", "identity"] = "auto",
) -> Panel:
    """Lay long rows out on the dense calendar from the first to the last day.

    `product_id` and `day` (datetime64[D]): one entry a row, each pair at most once. `columns`, one
    entry a row: `signal` and `outcome`; optionally `signal_se`, `posts`, `promo`, `holiday`,
    `stock_out`, `is_open`. Days without a row are NaN, open, without promotion or holiday.
    Raises ValueError for a pair that occurs twice or a column that is not known.
    """
    known = {
        "signal",
        "outcome",
        "signal_se",
        "posts",
        "promo",
        "holiday",
        "stock_out",
        "is_open",
    }
    if unknown := set(columns) - known:
        raise ValueError(f"no series is called {', '.join(sorted(unknown))}")
    names, row = np.unique(np.asarray(product_id, dtype=object), return_inverse=True)
    days = np.asarray(day, dtype="datetime64[D]")
    if len(days) == 0:
        dates = np.empty(0, dtype="datetime64[D]")
        column = np.empty(0, dtype=np.int64)
    else:
        dates = np.arange(days.min(), days.max() + np.timedelta64(1, "D"))
        column = (days - days.min()).astype(np.int64)
    cell = row * max(1, len(dates)) + column
    if len(np.unique(cell)) < len(cell):
        raise ValueError("a product has two rows for one day")

    shape = (len(names), len(dates))

    def number(name: str) -> FloatArray:
        laid = np.full(shape, np.nan)
        if name in columns:
            laid[row, column] = np.asarray(columns[name], dtype=np.float64)
        return laid

    def flag(name: str, *, default: bool) -> BoolArray:
        laid = np.full(shape, default)
        if name in columns:
            laid[row, column] = np.asarray(columns[name], dtype=np.bool_)
        return laid

    product_ids = tuple(str(name) for name in names)
    of_product = category or {}
    return Panel(
        product_ids=product_ids,
        dates=dates,
        signal=number("signal"),
        outcome=number("outcome"),
        signal_variance=number("signal_se") ** 2,
        posts=number("posts"),
        promo=flag("promo", default=False),
        holiday=flag("holiday", default=False),
        stock_out=flag("stock_out", default=False),
        is_open=flag("is_open", default=True),
        categories=tuple(of_product.get(name) for name in product_ids),
        scale=scale,
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of the method. The defaults are the method; others serve the stability grid.

    `ar_order_max`: largest order of the autoregression that whitens. `days_per_cosine`: one cosine
    term for each so many half-days of the window (the design has floor(2 T / days_per_cosine)).
    `scale`: overrides the panel's automatic scale. `last_days`: only the last so many days count.
    `seed`: of the Gaussian draws behind the p-values.
    """

    ar_order_max: int = 7
    days_per_cosine: int = 120
    scale: Literal["auto", "log", "sqrt"] = "auto"
    last_days: int | None = None
    seed: int = 20260101


@dataclass(frozen=True, slots=True)
class LinkTests:
    """What one panel says of each product, before any correction over products.

    Arrays are of shape (N,) unless said otherwise; numbers are NaN where `is_tested` is false.

    `gate`, `reason`: why a product is or is not tested (reason empty where it is).
    `n_days`: days with both series. `p`, `z`, `lag_days` (1-14: the signal comes first),
    `width_days` (1, or 3 for an effect spread over neighbouring days): the lead test.
    `peak_lag_days` (-14..14): peak of the deseasonalised cross-correlation; `is_lag_confirmed`:
    it lies within a day of `lag_days` (two if spread). `reverse_*`: the roles swapped.
    `uplift`, `uplift_low`, `uplift_high`: fraction of sales per +1 SD of the denoised,
    deseasonalised signal at `lag_days`, simultaneous 95 %; `is_percentage_allowed` and
    `percentage_reason` say whether they may be stated. `minimum_detectable_effect`: the smallest
    such fraction that the days would have shown with 80 % power. `reliability`: share of the
    filtered signal's variance that is not sampling noise, NaN if no standard errors are known.
    `signal_sd`: that SD, in units of the signal. `posts_per_day`, `outcome_per_day`: means.
    `correlation`, `null_band`: (N, 29), lags -14..14, deseasonalised, half width of the
    simultaneous 95 % band; `whitened_correlation`, `whitened_band`: after filtering.
    """

    product_ids: tuple[str, ...]
    gate: TextArray
    reason: TextArray
    is_tested: BoolArray
    n_days: IntArray
    missing_day_ratio: FloatArray
    posts_per_day: FloatArray
    outcome_per_day: FloatArray
    days_sold_ratio: FloatArray
    p: FloatArray
    z: FloatArray
    lag_days: IntArray
    width_days: IntArray
    peak_lag_days: IntArray
    is_lag_confirmed: BoolArray
    reverse_p: FloatArray
    reverse_z: FloatArray
    reverse_lag_days: IntArray
    reverse_width_days: IntArray
    is_reverse_lag_confirmed: BoolArray
    uplift: FloatArray
    uplift_low: FloatArray
    uplift_high: FloatArray
    minimum_detectable_effect: FloatArray
    is_percentage_allowed: BoolArray
    percentage_reason: TextArray
    reliability: FloatArray
    signal_sd: FloatArray
    correlation: FloatArray
    null_band: FloatArray
    whitened_correlation: FloatArray
    whitened_band: FloatArray


@dataclass(frozen=True, slots=True)
class Decisions:
    """Verdicts after the correction over products (and families). Arrays of shape (M,).

    `q`: of the lead test, `reverse_q`: of the reverse test, NaN where not tested. `verdict`: as
    in `Verdict`. `is_claim`: whether the verdict claims something (social_leads, sales_lead,
    feedback).
    """

    q: FloatArray
    reverse_q: FloatArray
    verdict: TextArray
    is_claim: BoolArray = field(repr=False)
