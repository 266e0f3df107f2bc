"""A site like Google Trends over a search history that is known: what it samples, scales, rounds
and writes as CSV.

A day's value is the share of all searches that a term has in a sample of them, in per cent of the
largest value of the download over its terms and points, rounded; between 0 and 1 the site writes
"<1". Every download draws its sample anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
FIRST_DAY = date(2021, 11, 21)  # a Sunday: weeks of the site begin on Sundays
FIVE_YEARS = 1_827
LONGEST_DAILY = 269
_HEADERS = {
    "en": ("Category: All categories", "Day", "Week", ": ({})", "Worldwide"),
    "de": ("Kategorie: Alle Kategorien", "Tag", "Woche", ": ({})", "Weltweit"),
    "ja": ("カテゴリ: すべてのカテゴリ", "日", "週", "：（{}）", "すべての国"),
}  # fmt: skip


def history(
    generator: np.random.Generator, days: int = FIVE_YEARS, *, level: float = 0.02
) -> FloatArray:
    """Shares of all searches by day: a wandering level, seasons, weekdays and events that fade."""
    day = np.arange(days)
    log_share = np.cumsum(generator.normal(0.0, 0.01, days))
    log_share += 0.3 * np.sin(2 * np.pi * (day / 365.25 + generator.uniform()))
    log_share += np.where(day % 7 >= 5, generator.uniform(-0.3, 0.3), 0.0)
    for start in generator.integers(0, days, days // 120):
        fading = np.exp(-np.arange(days - start) / generator.uniform(2, 8))
        log_share[start:] += generator.uniform(0.3, 1.5) * fading
    found: FloatArray = level * np.exp(log_share - log_share.mean())
    return found


@dataclass
class Site:
    """Histories by term; `sampled_per_day` searches of each day are looked at in a download."""

    histories: dict[str, FloatArray]
    sampled_per_day: float = 20_000.0
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def download(
        self,
        terms: Sequence[str],
        first: int,
        last: int,
        *,
        step: int = 1,
        language: str = "en",
        region: str | None = None,
    ) -> str:
        """The CSV of days `first` to `last` (its end excluded) in points of `step` days."""
        preamble, day_word, week_word, form, world = _HEADERS[language]
        values = self.values(terms, first, last, step=step)
        names = [term + form.format(region or world) for term in terms]
        lines = [preamble, "", ",".join([week_word if step == 7 else day_word, *names])]
        for number in range(values.shape[1]):
            moment = FIRST_DAY + timedelta(days=first + number * step)
            cells = ["<1" if 0 < v < 1 else str(round(v)) for v in values[:, number]]
            lines.append(",".join([moment.isoformat(), *cells]))
        return "\n".join(lines) + "\n"

    def values(self, terms: Sequence[str], first: int, last: int, *, step: int = 1) -> FloatArray:
        """(terms, points): per cent of the largest, rounded but for those between 0 and 1."""
        count = (last - first) // step
        rows = []
        for term in terms:
            days = self.histories[term][first : first + count * step].reshape(count, step)
            sample = self.sampled_per_day * step
            rows.append(self.generator.poisson(days.mean(axis=1) * sample) / sample)
        found = np.stack(rows)
        scaled = 100.0 * found / found.max()
        return np.where((scaled > 0) & (scaled < 1), 0.5, np.round(scaled))


def windows(
    days: int = FIVE_YEARS, *, length: int = LONGEST_DAILY, overlap: int = 60
) -> Iterator[tuple[int, int]]:
    """Windows of a length that cover all days; each begins before the last one ends, or right
    where it ends if `overlap` is 0."""
    start = 0
    while True:
        end = min(start + length, days)
        yield start, end
        if end == days:
            return
        start = end - overlap


def write(folder: Path, name: str, text: str) -> None:
    """Put a download into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def chained(parts: Sequence[tuple[int, FloatArray]], days: int) -> FloatArray:
    """The usual way, for comparison: windows in order, each scaled to the one before by the sums
    of the days that both hold. `parts` are first days and values of one draw."""
    total, count = np.zeros(days), np.zeros(days)
    before: tuple[int, FloatArray] | None = None
    scale = 1.0
    for first, values in parts:
        if before is not None:
            shared = before[0] + len(before[1]) - first
            scale *= before[1][-shared:].sum() / max(values[:shared].sum(), 1e-9)
        total[first : first + len(values)] += scale * values
        count[first : first + len(values)] += 1
        before = (first, values)
    with np.errstate(invalid="ignore"):
        return total / count


@dataclass(frozen=True)
class Errors:
    """How far a stitched series is from the truth, both of mean log 0. `drift` is the log of the
    error of the last year's sum against the first's."""

    rmse: float
    correlation: float
    drift: float
    coverage: float
    days: int


def errors_of(
    truth: FloatArray, found: FloatArray, relative_se: FloatArray | None = None
) -> Errors:
    """Compare where both are above 0."""
    known = (found > 0) & (truth > 0)
    error = np.full(len(truth), np.nan)
    error[known] = np.log(found[known]) - np.log(truth[known])
    error -= np.nanmean(error)
    year = min(365, len(truth) // 3)
    coverage = float("nan")
    if relative_se is not None:
        coverage = float(np.mean(np.abs(error[known]) <= 1.96 * relative_se[known]))
    return Errors(
        rmse=float(np.sqrt(np.nanmean(error**2))),
        correlation=float(np.corrcoef(truth[known], found[known])[0, 1]),
        drift=float(
            np.log(found[known][-year:].sum() / truth[known][-year:].sum())
            - np.log(found[known][:year].sum() / truth[known][:year].sum())
        ),
        coverage=coverage,
        days=int(known.sum()),
    )
