"""Real daily series, and placebo pairs of them: sales of one thing, mood about another.

Reads the public sets in the folder `data` under SOCIAL_SIGNALS_SHARED: Online Retail (units of the
best sold articles), StockNet (traded volumes; tweets), Steam reviews (their number; share of thumbs
up), Bitcoin (volume, search interest; sentiment counts of tweets and comments), and replies and
favourites of two politicians' tweets. A mood is never paired with an outcome of its own source, and
each is laid on the outcome's calendar from another date, weekday on weekday: whatever precedes
whatever there is chance.

Moods are cheap on purpose (a list of words, thumbs, ratios): what counts here is that they have the
jumps, droughts and trends of real ones.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from udfs.lead_lag.panel import BoolArray, FloatArray, Panel

Array = np.ndarray[Any, np.dtype[Any]]

POSITIVE = """
good great best better up bull bullish buy strong gain gains beat beats win wins love nice high
higher growth rally record top happy profit success positive awesome amazing fun rise rises
"""
NEGATIVE = """
bad worse worst down bear bearish sell weak loss losses miss misses lose loses hate low lower drop
drops fall falls fell crash short fear sad negative poor fail fails decline cut cuts
"""
SCORE_OF_WORD = dict.fromkeys(POSITIVE.split(), 1) | dict.fromkeys(NEGATIVE.split(), -1)


@dataclass(frozen=True, slots=True)
class Series:
    """One real daily series: `values` (T,) from `first_day` on, NaN where nothing was observed.

    `se` and `posts`: of a mood, NaN and 0 for an outcome. `is_open`: days that the calendar opens.
    """

    name: str
    source: str
    first_day: date
    values: FloatArray
    se: FloatArray
    posts: FloatArray
    is_open: BoolArray


# Outcomes --------------------------------------------------------------------------------------


def retail_units(data: Path, *, mean_units: float = 5.0) -> list[Series]:
    """Units a day of articles that sell on half of the open days and `mean_units` a day or more.

    Cancellations, returns, lines without a price, exact duplicates and codes that are no article
    are left out. A day without a file is closed.
    """
    units: dict[str, Counter[date]] = {}
    days = set()
    for path in sorted((data / "online_retail/data/retail-data/by-day").glob("*.csv")):
        day = date.fromisoformat(path.stem)
        days.add(day)
        with path.open(encoding="utf-8", newline="") as file:
            rows = {tuple(row.items()) for row in csv.DictReader(file)}
        for items in rows:
            row = dict(items)
            quantity, price = int(float(row["Quantity"])), float(row["UnitPrice"] or 0)
            is_sale = quantity > 0 and price > 0 and not row["InvoiceNo"].startswith("C")
            if is_sale and re.match(r"\d{5}", row["StockCode"]):
                units.setdefault(row["StockCode"], Counter())[day] += quantity
    first, last = min(days), max(days)
    calendar = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    is_open = np.array([day in days for day in calendar])
    listed = []
    for code, sold in sorted(units.items()):
        values = np.array([float(sold[day]) for day in calendar])
        values[~is_open] = np.nan
        if np.nanmean(values) >= mean_units and np.nanmean(values > 0) >= 0.5:
            listed.append(_outcome(code, "online_retail", first, values, is_open))
    return listed


def stock_volumes(data: Path) -> list[Series]:
    """Shares traded a day, in thousands; weekends and holidays are closed."""
    listed = []
    for path in sorted((data / "stocknet/price/raw").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            by_day = {
                date.fromisoformat(row["Date"]): float(row["Volume"]) / 1e3
                for row in csv.DictReader(file)
            }
        first, values = _laid_out(by_day)
        listed.append(_outcome(path.stem, "stocknet", first, values, np.isfinite(values)))
    return listed


def bitcoin_outcomes(data: Path) -> list[Series]:
    """Traded volume, number of tweets and search interest of Bitcoin, by day."""
    listed = []
    folder = data / "pybcoin/data"
    for path, names in (
        (folder / "btc/btc_volume.csv", {"Value": 1e-6}),
        (folder / "btc/tweet_counts.csv", {"tweet_count": 1.0}),
        (
            folder / "gtrends/GTrendsData.csv",
            dict.fromkeys(("btc", "bitcoin", "eth", "ethereum", "blockchain"), 1.0),
        ),
    ):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["Date"]]
        for name, unit in names.items():
            by_day = {_day(row["Date"]): float(row[name]) * unit for row in rows if row[name]}
            first, values = _laid_out(by_day)
            listed.append(_outcome(name, "pybcoin", first, values, np.ones(len(values), bool)))
    return listed


def review_counts(data: Path, *, mean_reviews: float = 3.0, n_days: int = 365) -> list[Series]:
    """Reviews a day of games, in windows of a year in which they have `mean_reviews` a day."""
    listed = []
    for name, reviews in _steam(data):
        by_day = Counter(day for day, _ in reviews)
        first, counts = _laid_out({day: float(n) for day, n in by_day.items()})
        counts = np.nan_to_num(counts)
        for start in range(0, len(counts) - n_days + 1, n_days):
            window = counts[start : start + n_days]
            if window.mean() >= mean_reviews:
                day = date.fromordinal(first.toordinal() + start)
                listed.append(_outcome(name, "steam", day, window, np.ones(n_days, bool)))
    return listed


# Moods -----------------------------------------------------------------------------------------


def moods(data: Path) -> list[Series]:
    """Daily moods of all sources that have one on at least nine days of ten."""
    listed = [*_stock_moods(data), *_bitcoin_moods(data), *_ratio_moods(data), _thumbs(data)]
    return [one for one in listed if np.isfinite(one.values).mean() >= 0.9]


def _stock_moods(data: Path) -> Iterator[Series]:
    scores: dict[str, dict[date, list[float]]] = {"AMZN": {}, "others": {}}
    seen: set[str] = set()
    for path in sorted((data / "stocknet/tweet/raw").glob("*/*")):
        of_stock = scores["AMZN" if path.parent.name == "AMZN" else "others"]
        for line in path.read_text(encoding="utf-8").splitlines():
            post = json.loads(line)
            if post["id_str"] in seen:
                continue
            seen.add(post["id_str"])
            day = datetime.strptime(post["created_at"], "%a %b %d %H:%M:%S %z %Y").date()
            of_stock.setdefault(day, []).append(lexicon_score(post["text"]))
    for name, by_day in scores.items():
        yield _mood(name, "stocknet", by_day)


def lexicon_score(text: str) -> float:
    """Share of positive minus negative words among those on the lists; 0 if there are none."""
    words = re.findall(r"[a-z]+", text.lower())
    found = [SCORE_OF_WORD[word] for word in words if word in SCORE_OF_WORD]
    return sum(found) / len(found) if found else 0.0


def _bitcoin_moods(data: Path) -> Iterator[Series]:
    for name in ("tweets", "reddit_comments"):
        path = data / f"pybcoin/data/latest/{name}_sentiment.csv"
        shares: dict[date, float] = {}
        counts: dict[date, float] = {}
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                up, down = float(row["Positive"]), float(row["Negative"])
                day = _day(row["Date"])
                if up + down > 0:
                    shares[day], counts[day] = up / (up + down), up + down
        first, values = _laid_out(shares)
        _, posts = _laid_out(counts)
        se = np.sqrt(values * (1 - values) / posts)
        yield Series(name, "pybcoin", first, values, se, np.nan_to_num(posts), _all_open(values))


def _ratio_moods(data: Path) -> Iterator[Series]:
    """Log of favourites over replies, mean of the day's tweets: high where people agree."""
    for name in ("BarackObama", "realDonaldTrump"):
        by_day: dict[date, list[float]] = {}
        path = data / f"fivethirtyeight/twitter-ratio/{name}.csv"
        with path.open(encoding="mac_roman", newline="") as file:
            for row in csv.DictReader(file):
                day = datetime.strptime(row["created_at"], "%m/%d/%y %H:%M").date()  # noqa: DTZ007
                ratio = (float(row["favorites"]) + 1) / (float(row["replies"]) + 1)
                by_day.setdefault(day, []).append(float(np.log(ratio)))
        yield _mood(name, "fivethirtyeight", by_day)


def _thumbs(data: Path) -> Series:
    """Share of thumbs up over all games, from 2014 to 2017, when there are several a day."""
    by_day: dict[date, list[float]] = {}
    for _, reviews in _steam(data):
        for day, is_up in reviews:
            if 2014 <= day.year <= 2017:
                by_day.setdefault(day, []).append(float(is_up))
    return _mood("all games", "steam", by_day)


def _steam(data: Path) -> Iterator[tuple[str, list[tuple[date, bool]]]]:
    """Each game's dated thumbs. A summary precedes the header; months count from zero."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    for path in sorted((data / "steam_reviews_45games/data").glob("*.csv")):
        reviews = []
        with path.open(encoding="utf-8", newline="") as file:
            is_body = False
            for row in csv.reader(file):
                if is_body and len(row) > 3 and (found := _steam_day(row[2])):
                    reviews.append((found, row[3] == "✅"))
                is_body = is_body or (bool(row) and row[0] == "Review ID")
        yield path.stem, reviews


def _steam_day(text: str) -> date | None:
    match = re.match(r"(\d{4})\.(\d{2})\.(\d{2})", text)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.groups())
    return date(year, month + 1, day)


def _day(text: str) -> date:
    """A day as 2018-06-03 or 6/3/2018."""
    if "-" in text:
        return date.fromisoformat(text)
    month, day, year = (int(part) for part in text.split("/"))
    return date(year, month, day)


# Laying out ------------------------------------------------------------------------------------


def _laid_out(by_day: dict[date, float]) -> tuple[date, FloatArray]:
    first, last = min(by_day), max(by_day)
    values = np.full(last.toordinal() - first.toordinal() + 1, np.nan)
    for day, value in by_day.items():
        values[day.toordinal() - first.toordinal()] = value
    return first, values


def _mood(name: str, source: str, by_day: dict[date, list[float]]) -> Series:
    first, values = _laid_out({day: float(np.mean(each)) for day, each in by_day.items()})
    _, posts = _laid_out({day: float(len(each)) for day, each in by_day.items()})
    pooled = np.std([score for each in by_day.values() for score in each])
    se = float(pooled) / np.sqrt(posts)
    return Series(name, source, first, values, se, np.nan_to_num(posts), _all_open(values))


def _outcome(name: str, source: str, first: date, values: FloatArray, is_open: BoolArray) -> Series:
    nothing = np.full(len(values), np.nan)
    return Series(name, source, first, values, nothing, np.zeros(len(values)), is_open)


def _all_open(values: FloatArray) -> BoolArray:
    return np.ones(len(values), dtype=bool)


# Pairing ---------------------------------------------------------------------------------------


def pair_up(
    outcomes: list[Series],
    all_moods: list[Series],
    *,
    n_days: int,
    n_pairs: int,
    rng: np.random.Generator,
    effect: float = 0.0,
) -> tuple[Panel, FloatArray, Array]:
    """Random windows of outcomes with random windows of unrelated moods.

    With an `effect`, each outcome is multiplied by (1 + effect) per +1 SD of the mood (weekday,
    trend and season removed) at a lag of 1-10 days; then the mood has no standard error, because it
    is itself what acts. Whole numbers stay whole by random rounding. Returns the panel, the effect
    on the log scale (N,) and the lags (N,).
    """
    fitting = [one for one in outcomes if len(one.values) >= n_days]
    n = n_pairs
    columns: dict[str, list[Array]] = {
        name: [] for name in ("signal", "outcome", "variance", "posts", "is_open")
    }
    lags = rng.integers(1, 11, n)
    weekday_of_panel = 0
    for number in range(n):
        outcome = fitting[int(rng.integers(len(fitting)))]
        others = [
            one
            for one in all_moods
            if one.source != outcome.source and len(one.values) >= n_days + 7
        ]
        mood = others[int(rng.integers(len(others)))]
        y_from = _start(outcome, n_days, weekday_of_panel, rng)
        x_from = _start(mood, n_days, weekday_of_panel, rng)
        y = outcome.values[y_from : y_from + n_days].copy()
        x = mood.values[x_from : x_from + n_days]
        variance = mood.se[x_from : x_from + n_days] ** 2
        if effect:
            y = _planted(y, x, int(lags[number]), effect, rng)
            variance = np.full(n_days, np.nan)
        columns["outcome"].append(y)
        columns["signal"].append(x)
        columns["variance"].append(variance)
        columns["posts"].append(mood.posts[x_from : x_from + n_days])
        columns["is_open"].append(outcome.is_open[y_from : y_from + n_days])
    laid = {name: np.array(each) for name, each in columns.items()}
    nothing = np.zeros((n, n_days), dtype=bool)
    start = np.datetime64("2024-01-01")  # a Monday
    panel = Panel(
        product_ids=tuple(f"p{number:05d}" for number in range(n)),
        dates=np.arange(start, start + np.timedelta64(n_days, "D")),
        signal=laid["signal"],
        outcome=laid["outcome"],
        signal_variance=laid["variance"],
        posts=np.full((n, n_days), np.nan) if effect else laid["posts"],
        promo=nothing,
        holiday=nothing,
        stock_out=nothing,
        is_open=laid["is_open"].astype(bool),
        categories=(None,) * n,
    )
    return panel, np.full(n, np.log1p(effect)), lags


def _start(series: Series, n_days: int, weekday: int, rng: np.random.Generator) -> int:
    """A random first day of a window that begins on a given weekday, or the latest that fits."""
    latest = len(series.values) - n_days
    offset = (weekday - series.first_day.weekday()) % 7
    choices = np.arange(offset, latest + 1, 7)
    return int(rng.choice(choices)) if len(choices) else latest


def _planted(
    y: FloatArray, x: FloatArray, lag: int, effect: float, rng: np.random.Generator
) -> FloatArray:
    known = np.isfinite(x)
    day = np.arange(len(x))
    place = (day + 0.5) / len(x)
    waves = [np.cos(np.pi * place * wave) for wave in range(1, 2 * len(x) // 120 + 1)]
    design = np.column_stack([np.equal.outer(day % 7, np.arange(7)), place, *waves]).astype(float)
    fitted = design @ np.linalg.lstsq(design[known], x[known], rcond=None)[0]
    rest = np.where(known, x - fitted, 0.0)
    acting = np.zeros(len(x))
    acting[lag:] = rest[:-lag] / rest[known].std()
    moved = y * np.exp(np.log1p(effect) * np.clip(acting, -3, 3))
    is_whole = bool(np.all(np.mod(y[np.isfinite(y)], 1) == 0))
    return np.asarray(np.floor(moved + rng.random(len(y))) if is_whole else moved)


READERS: dict[str, Callable[[Path], list[Series]]] = {
    "retail": retail_units,
    "stocks": stock_volumes,
    "bitcoin": bitcoin_outcomes,
    "reviews": review_counts,
}
