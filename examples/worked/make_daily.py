"""Write an invented shop's daily table: nine products, 180 days, closed on Sundays.

    python examples/worked/make_daily.py daily.csv

What is planted: sales of the desk lamp follow the mood of posts by three days (+25 % per SD), those
of the tea light by about five, spread; the tote bag's buyers post two days after they bought; a
promotion moves mood and sales of the gift card at once. The others have no link; the mug is new and
the poster sells too little.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

DAYS, BEFORE = 180, 30
FIRST_DAY = np.datetime64("2026-01-05")
COLUMNS = ("product_id", "date", "units", "sentiment_mean", "sentiment_se", "posts", "promo")


def smooth(random: np.random.Generator, memory: float) -> npt.NDArray[np.float64]:
    """A series with the given memory and an SD of 1."""
    series = np.zeros(DAYS + BEFORE)
    for day in range(1, DAYS + BEFORE):
        series[day] = memory * series[day - 1] + random.normal(0, 1)
    scaled: npt.NDArray[np.float64] = series / series.std()
    return scaled


def rows_of(name: str, random: np.random.Generator) -> list[tuple[object, ...]]:
    """One row a day that the shop was open and the product on sale."""
    mood, demand = smooth(random, 0.5), smooth(random, 0.4)
    level = 1.2 if name == "poster" else 45.0
    promo = np.zeros(DAYS + BEFORE)
    push = np.zeros(DAYS + BEFORE)
    if name == "desk-lamp":
        push[3:] = np.log(1.25) * mood[:-3]
    elif name == "tea-light":
        for lag, weight in ((4, 0.3), (5, 0.4), (6, 0.3)):
            push[lag:] += weight * np.log(1.6) * mood[:-lag]
    elif name == "tote-bag":
        mood[2:] += 1.5 * demand[:-2]
    elif name == "gift-card":
        for start in range(BEFORE + 10, DAYS + BEFORE, 45):
            promo[start : start + 5] = 1
        push, mood = 0.5 * promo, mood + 2 * promo
    rows: list[tuple[object, ...]] = []
    for day in range(DAYS):
        here = day + BEFORE
        weekday = day % 7
        posts = int(random.poisson(45))
        error = 0.5 / np.sqrt(max(posts, 1))
        season = 0.15 * np.sin(2 * np.pi * weekday / 7)
        units = random.poisson(level * np.exp(season + push[here] + 0.2 * demand[here]))
        observed = 0.15 + 0.12 * mood[here] + random.normal(0, error)
        if weekday == 6 or (name == "new-mug" and day < DAYS - 86):
            continue
        rows.append(
            (name, FIRST_DAY + day, units, f"{observed:.4f}", f"{error:.4f}", posts,
             int(promo[here]))
        )  # fmt: skip
    return rows


def main() -> None:
    """Write the table to the file named on the command line."""
    names = (
        "desk-lamp", "gift-card", "new-mug", "notebook", "poster", "tea-light", "tote-bag",
        "vase", "wall-clock",
    )  # fmt: skip
    with Path(sys.argv[1]).open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, name in enumerate(names):
            writer.writerows(rows_of(name, np.random.default_rng((20260105, number))))


if __name__ == "__main__":
    main()
