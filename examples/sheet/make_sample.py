"""Write an invented sheet and posts of 200 days, to try the road before your own files are ready.

    python examples/sheet/make_sample.py my_shop

What is planted: people's mood about the desk lamp moves its sales three days later; that about the
tea light moves nothing. The shop is closed on Sundays.
"""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

DAYS, LEAD_DAYS = 200, 3
FIRST_DAY = date(2026, 1, 5)
PRICES = {"desk lamp": "39.90", "tea light": "2.99"}
GOOD = ("love my new {}", "the {} is great", "best {} I ever had", "so happy with the {}")
BAD = ("the {} broke, terrible", "really disappointed by this {}", "my {} is useless", "awful {}")
PLAIN = ("looking at a {}", "the {} arrived", "does anyone use a {}", "saw a {}")
# Everybody words it in their own way: equal texts would be taken for copies.
ENDS = (
    ("today", "this morning", "at last", "again", "for once", "since Monday", "tonight", "now"),
    ("at work", "at home", "in the hall", "by the window", "upstairs", "in the shop", "outside"),
    ("with tea", "with my sister", "after lunch", "in the rain", "before bed", "on my own", "too"),
    ("anyway", "I guess", "as ever", "by the way", "to be honest", "you know", "for real", "hm"),
)


def main() -> None:
    """Write sales.csv and posts.csv into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260105)
    sales: list[tuple[object, ...]] = []
    posts: list[tuple[object, ...]] = []
    for product, level in (("desk lamp", 30.0), ("tea light", 60.0)):
        mood = np.zeros(DAYS)
        for number in range(1, DAYS):
            mood[number] = 0.5 * mood[number - 1] + random.normal()
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            good = 1 / (1 + np.exp(-mood[number]))
            for post in range(random.poisson(12)):
                kind = random.choice(3, p=(0.6 * good, 0.6 * (1 - good), 0.4))
                words = [(GOOD, BAD, PLAIN)[kind], *ENDS]
                text = " ".join(str(random.choice(part)) for part in words).format(product)
                at = datetime.combine(day, time(hour=int(random.integers(7, 23)), minute=post % 60))
                author = f"reader{random.integers(900)}"
                posts.append((f"{product[:4]}-{number}-{post}", author, at.isoformat(), text))
            if day.isoweekday() == 7:
                continue
            led = product == "desk lamp" and number >= LEAD_DAYS
            push = 0.25 * mood[number - LEAD_DAYS] if led else 0.0
            units = int(random.poisson(level * np.exp(push)))
            revenue = f"{units * float(PRICES[product]):.2f}"
            sales.append((day.isoformat(), product, units, revenue, "EUR"))
    _write(folder / "sales.csv", ("date", "product", "units", "revenue", "currency"), sales)
    _write(folder / "posts.csv", ("id", "author", "time", "text"), posts)


def _write(file: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
