"""The scales of search-interest answers, from everything that they share, with standard errors.

An answer holds points of up to five terms on a scale of its own: y = b x, with b unknown, rounded
to whole numbers and sampled anew each time. Two answers that hold the same term at the same time
tell the ratio of their scales, whether that term is the one of interest or an anchor that was
downloaded along with it. A week or month of one answer is compared with the mean of its days in
another. All of this at once is a two-way model, log E(y) = a(answer) + m(point), with the variance
of rounding, 1/12, and of sampling: phi b E(y), as b n / N has if n of N searches are counted, and
less for longer points. It is fitted by Fisher scoring (McCullagh & Nelder 1989, Generalized Linear
Models, 2nd ed., sections 2.5 and 9.2: quasi-likelihood); with the points eliminated, each round
is weighted least squares over the graph of answers, whose matrix is a graph Laplacian, and the
inverse of that matrix holds the variances (as in least squares on networks of measurements:
Barooah & Hespanha 2007, IEEE Control Systems 27(4)). The idea of calibrating by an anchor is West
2020, "Calibration of Google Trends Time Series", CIKM.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MIN_SHARED = 20.0
"""Points that two answers share tell nothing of their scales while the values sum to less: at the
rounding to whole numbers alone the ratio would be known to some 15 % or worse."""
ROUNDING = 1.0 / 12.0
_LEAST_EXPECTED = 1.0
_ROUNDS, _STEPS = 4, 40
_PRIOR_DEGREES = 30.0
_OVERLAP, _LONG, _ANCHOR, _NONE = "overlap", "long_window", "anchor", "none"


@dataclass(frozen=True, slots=True)
class Points:
    """Values of answers: (n,) arrays. `first_day` counts days, `days` is how many a point covers,
    `value` is 0 to 100; an answer holds a series at one time at most once."""

    answer: IntArray
    series: IntArray
    first_day: IntArray
    days: IntArray
    value: FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of one answer for one series and length of points (1, 7, 30 or 365 days).

    Values divided by `scale` are comparable within a `component`. `relative_se` is of the scale
    against the mean scale of the series; `noise` is the variance of sampling per unit of value of
    such a point, None where no point was answered twice. `shared_points` counts the answer's points
    of that series that other answers hold too. `problem` says why answers of the series lie in
    other components.
    """

    answer: int
    series: int
    length: int
    component: int
    scale: float
    relative_se: float
    noise: float | None
    method: str
    shared_points: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What enters the fit: one row a value, or a mean of days, of a cell (series and time). `n` is
    how many rounded values it is made of, `sampled` how many days its sample was drawn from."""

    answer: IntArray
    cell: IntArray
    series: IntArray
    value: FloatArray
    n: FloatArray
    sampled: FloatArray
    is_mean: BoolArray

    def take(self, chosen: BoolArray | IntArray) -> _Seen:
        return _Seen(
            self.answer[chosen],
            self.cell[chosen],
            self.series[chosen],
            self.value[chosen],
            self.n[chosen],
            self.sampled[chosen],
            self.is_mean[chosen],
        )

    def variance(self, mean: FloatArray, phi: FloatArray, level: FloatArray) -> FloatArray:
        """Of each row, if `mean` is expected: rounding and sampling."""
        noise = phi[self.series] * np.exp(level[self.answer])
        found: FloatArray = ROUNDING / self.n + noise * mean / self.sampled
        return found


def length_of(days: IntArray) -> IntArray:
    """The kind of a point by how many days it covers: 1, 7, 30 or 365."""
    return np.select([days <= 1, days <= 7, days <= 31], [1, 7, 30], 365).astype(np.int64)


def fit_scales(points: Points) -> list[Scale]:
    """Bring all answers that share enough to common scales; the order is that of answers, series
    and lengths."""
    answer_count = int(points.answer.max(initial=-1)) + 1
    if not answer_count:
        return []
    seen = _shared(_all_seen(points))
    fit = _Fit(seen, answer_count)
    fit.run()
    return list(_scales(points, fit))


def _all_seen(points: Points) -> _Seen:
    """The values, and the means of days that lie in a week, month or year of another answer."""
    keys = np.stack([points.series, points.first_day, points.days], axis=1)
    _, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1).astype(np.int64)
    count = len(cell)
    parts = [
        _Seen(
            points.answer,
            cell,
            points.series,
            points.value,
            np.ones(count),
            points.days.astype(np.float64),
            np.zeros(count, dtype=np.bool_),
        )
    ]
    is_day, is_long = points.days == 1, points.days > 1
    for series in np.unique(points.series[is_long]):
        of_series = points.series == series
        long_cells, at = np.unique(cell[of_series & is_long], return_index=True)
        first = points.first_day[of_series & is_long][at]
        days = points.days[of_series & is_long][at]
        for answer in np.unique(points.answer[of_series & is_day]):
            chosen = of_series & is_day & (points.answer == answer)
            order = np.argsort(points.first_day[chosen], kind="stable")
            day = points.first_day[chosen][order]
            total = np.concatenate([[0.0], np.cumsum(points.value[chosen][order])])
            low, high = np.searchsorted(day, first), np.searchsorted(day, first + days)
            whole = high - low == days
            if whole.any():
                size = days[whole].astype(np.float64)
                means = (total[high] - total[low])[whole] / size
                number = int(whole.sum())
                parts.append(
                    _Seen(
                        np.full(number, answer, dtype=np.int64),
                        long_cells[whole],
                        np.full(number, series, dtype=np.int64),
                        means,
                        size,
                        size,
                        np.ones(number, dtype=np.bool_),
                    )
                )
    seen = _Seen(
        np.concatenate([part.answer for part in parts]),
        np.concatenate([part.cell for part in parts]),
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.n for part in parts]),
        np.concatenate([part.sampled for part in parts]),
        np.concatenate([part.is_mean for part in parts]),
    )
    # Days that several answers hold are compared day by day already: their means, of which each
    # says nearly the same, are worth one together.
    means = np.bincount(seen.cell, seen.is_mean)
    share = np.where(seen.is_mean, np.maximum(means[seen.cell], 1), 1)
    return replace(seen, n=seen.n / share, sampled=seen.sampled / share)


def _shared(seen: _Seen) -> _Seen:
    """Only cells that two answers or more hold; cells are numbered anew, in order."""
    kept = np.bincount(seen.cell, minlength=1)[seen.cell] > 1 if len(seen.cell) else seen.is_mean
    rest = seen.take(kept)
    _, cell = np.unique(rest.cell, return_inverse=True)
    order = np.lexsort((rest.answer, cell.reshape(-1)))
    rest = replace(rest, cell=cell.reshape(-1).astype(np.int64))
    return rest.take(order)


def _pairs(seen: _Seen) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows of one cell, two by two: positions of the one and of the other."""
    step = 1
    while step < len(seen.cell):
        one = np.flatnonzero(seen.cell[step:] == seen.cell[:-step])
        if not len(one):
            return
        yield one, one + step
        step += 1


class _Fit:
    """The two-way model of all answers; `level` is the log of their scales, `covariance` that of
    the levels within a component."""

    def __init__(self, seen: _Seen, answer_count: int) -> None:
        self.seen = seen
        self.answer_count = answer_count
        self.level = np.zeros(answer_count)
        self.component = np.arange(answer_count, dtype=np.int64)
        self.covariance: dict[int, tuple[IntArray, FloatArray]] = {}
        self.noise: dict[int, float] = {}
        self.log_mean: FloatArray = np.zeros(0)

    def run(self) -> None:
        """Fit; afterwards only rows that told something are left in `seen`."""
        if not len(self.seen.cell):
            return
        everything = self.seen
        # A first look that goes by what was seen, to know what to expect.
        positive = _shared(everything.take(everything.value >= _LEAST_EXPECTED))
        self._link(positive)
        self._solve(positive, np.log(positive.value), positive.value)
        phi = np.full(int(everything.series.max()) + 1, 0.1)
        for _ in range(_ROUNDS):
            # By what is expected, not by what was seen: else only the lucky draws would count.
            # Rows of other components say nothing of each other and are different cells.
            cells = everything.cell * self.answer_count + self.component[everything.answer]
            apart = _shared(replace(everything, cell=cells))
            rough = self._expected_by_sums(apart)
            least = np.full(int(apart.cell.max(initial=0)) + 1, np.inf)
            np.minimum.at(least, apart.cell, rough)
            used = _shared(apart.take(least[apart.cell] >= _LEAST_EXPECTED))
            self._link(used)
            self._score(used, phi)
            self._find_noise(used, phi)
            self.seen = used

    def _expected_by_sums(self, seen: _Seen) -> FloatArray:
        """What is expected of each row: its answer's scale times the cell's mean."""
        size = int(seen.cell.max(initial=0)) + 1
        scale = np.exp(self.level[seen.answer])
        sums = np.bincount(seen.cell, seen.value * seen.sampled, size)
        weights = np.bincount(seen.cell, scale * seen.sampled, size)
        found: FloatArray = scale * (sums / np.maximum(weights, 1e-300))[seen.cell]
        return found

    def _link(self, seen: _Seen) -> None:
        """Components of answers that share enough, numbered by their first answer."""
        sums: dict[tuple[int, int], float] = {}
        for one, other in _pairs(seen):
            real = ~(seen.is_mean[one] & seen.is_mean[other])
            one, other = one[real], other[real]
            key = seen.answer[one] * self.answer_count + seen.answer[other]
            known, at = np.unique(key, return_inverse=True)
            least = np.bincount(at, np.minimum(seen.value[one], seen.value[other]), len(known))
            for pair, amount in zip(known.tolist(), least.tolist(), strict=True):
                ends = divmod(pair, self.answer_count)
                sums[ends] = sums.get(ends, 0.0) + amount
        self.component = _components(
            self.answer_count, [pair for pair, amount in sums.items() if amount >= MIN_SHARED]
        )

    def _solve(self, seen: _Seen, target: FloatArray, weight: FloatArray) -> None:
        """One round of weighted least squares over the graph of answers."""
        size = int(seen.cell.max(initial=0)) + 1
        total = np.bincount(seen.cell, weight, size)
        mean = np.bincount(seen.cell, weight * target, size) / np.maximum(total, 1e-300)
        pull = np.bincount(seen.answer, weight * (target - mean[seen.cell]), self.answer_count)
        matrix: dict[tuple[int, int], float] = {}
        for one, other in _pairs(seen):
            same = self.component[seen.answer[one]] == self.component[seen.answer[other]]
            one, other = one[same], other[same]
            key = seen.answer[one] * self.answer_count + seen.answer[other]
            known, at = np.unique(key, return_inverse=True)
            share = weight[one] * weight[other] / np.maximum(total[seen.cell[one]], 1e-300)
            for pair, amount in zip(
                known.tolist(), np.bincount(at, share, len(known)).tolist(), strict=True
            ):
                ends = divmod(pair, self.answer_count)
                matrix[ends] = matrix.get(ends, 0.0) + amount
        by_component: dict[int, list[tuple[int, int, float]]] = {}
        for (one_end, other_end), amount in matrix.items():
            edges = by_component.setdefault(int(self.component[one_end]), [])
            edges.append((one_end, other_end, amount))
        self.covariance = {}
        for component, edges in sorted(by_component.items()):
            members = np.flatnonzero(self.component == component)
            place = {int(member): index for index, member in enumerate(members)}
            laplacian = np.zeros((len(members), len(members)))
            for one_end, other_end, amount in edges:
                i, j = place[one_end], place[other_end]
                laplacian[i, j] -= amount
                laplacian[j, i] -= amount
                laplacian[i, i] += amount
                laplacian[j, j] += amount
            # The mean level is free: with it fixed at 0 the matrix has an inverse.
            mean_fixed = laplacian + np.trace(laplacian) / len(members) ** 2
            inverse = np.linalg.inv(mean_fixed)
            level = inverse @ pull[members]
            self.level[members] = level - level.mean()
            self.covariance[component] = (members, inverse)

    def _score(self, seen: _Seen, phi: FloatArray) -> None:
        """Fisher scoring until nothing moves."""
        if not len(seen.cell):
            return
        cell_level = np.log(np.maximum(self._expected_by_sums(seen), 1e-6))
        log_mean = cell_level
        for _ in range(_STEPS):
            mean = np.exp(log_mean)
            weight = mean * mean / seen.variance(mean, phi, self.level)
            target = log_mean + np.clip((seen.value - mean) / mean, -1.0, 1.0)
            before = self.level.copy()
            self._solve(seen, target, weight)
            size = int(seen.cell.max()) + 1
            total = np.bincount(seen.cell, weight, size)
            point = np.bincount(seen.cell, weight * (target - self.level[seen.answer]), size)
            log_mean = self.level[seen.answer] + (point / total)[seen.cell]
            self.log_mean = log_mean
            if np.abs(self.level - before).max() < 1e-9:
                break

    def _find_noise(self, seen: _Seen, phi: FloatArray) -> None:
        """phi of each series by the moments of its residuals, drawn towards that of all."""
        if not len(seen.cell):
            return
        mean = np.exp(self.log_mean)
        weight = mean * mean / seen.variance(mean, phi, self.level)
        size = int(seen.cell.max()) + 1
        free = 1.0 - weight / np.bincount(seen.cell, weight, size)[seen.cell]
        answers = len(np.unique(seen.answer)) - len(self.covariance)
        free *= max(0.0, 1.0 - answers / max(1.0, float(free.sum())))
        excess = (seen.value - mean) ** 2 - free * ROUNDING / seen.n
        own = ~seen.is_mean
        series, count = seen.series[own], len(phi)
        excess_of = np.bincount(series, excess[own], count)
        mean_of = np.bincount(
            series, (free * mean * np.exp(self.level[seen.answer]) / seen.sampled)[own], count
        )
        degrees = np.bincount(series, free[own], count)
        pooled = max(0.0, float(excess_of.sum()) / max(1e-12, float(mean_of.sum())))
        found = np.maximum(0.0, excess_of / np.maximum(mean_of, 1e-12))
        phi[:] = (degrees * found + _PRIOR_DEGREES * pooled) / (degrees + _PRIOR_DEGREES)
        self.noise = {int(s): float(phi[s]) for s in np.flatnonzero(degrees > 0)}


def _components(count: int, pairs: list[tuple[int, int]]) -> IntArray:
    """Connected components, each called by its smallest member."""
    parent = list(range(count))

    def root(member: int) -> int:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return np.array([root(member) for member in range(count)], dtype=np.int64)


def _scales(points: Points, fit: _Fit) -> Iterator[Scale]:
    """One row an answer, series and length, in that order."""
    length = length_of(points.days)
    keys = np.stack([points.series, length, points.answer], axis=1)
    groups, counts = np.unique(keys, axis=0, return_counts=True)
    shared = _shared_counts(points, length)
    links = _links(fit)
    rows = []
    for series in np.unique(groups[:, 0]):
        of_series = groups[:, 0] == series
        for kind in np.unique(groups[of_series, 1]):
            chosen = of_series & (groups[:, 1] == kind)
            answers, weights = groups[chosen, 2], counts[chosen].astype(np.float64)
            methods = _methods(fit, links, int(series), answers, weights)
            components = fit.component[answers]
            for index, answer in enumerate(answers.tolist()):
                component = int(components[index])
                inside = components == component
                key = (int(series), int(kind), answer)
                of_day = fit.noise.get(int(series))
                scale = float(np.exp(fit.level[answer]))
                problem = None
                if len(set(components.tolist())) > 1:
                    problem = "near_zero_overlap" if shared.get(key) else "no_overlap"
                rows.append(
                    Scale(
                        answer=answer,
                        series=int(series),
                        length=int(kind),
                        component=component,
                        scale=scale,
                        relative_se=_relative_se(fit, answer, answers[inside], weights[inside]),
                        noise=None if of_day is None else of_day * scale / int(kind),
                        method=methods[answer],
                        shared_points=shared.get(key, 0),
                        problem=problem,
                    )
                )
    yield from sorted(rows, key=lambda row: (row.answer, row.series, row.length))


def _relative_se(fit: _Fit, answer: int, answers: IntArray, weights: FloatArray) -> float:
    """Of an answer's scale against the weighted mean of the series' answers."""
    component = int(fit.component[answer])
    if len(answers) < 2 or component not in fit.covariance:
        return 0.0
    members, covariance = fit.covariance[component]
    contrast = np.zeros(len(members))
    contrast[np.searchsorted(members, answers)] -= weights / weights.sum()
    contrast[np.searchsorted(members, answer)] += 1.0
    return math.sqrt(max(0.0, float(contrast @ covariance @ contrast)))


def _shared_counts(points: Points, length: IntArray) -> dict[tuple[int, int, int], int]:
    """How many points of (series, length, answer) other answers hold too."""
    keys = np.stack([points.series, points.first_day, points.days], axis=1)
    _, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    twice = np.bincount(cell)[cell] > 1
    groups, counts = np.unique(
        np.stack([points.series, length, points.answer], axis=1)[twice], axis=0, return_counts=True
    )
    return {
        (int(series), int(kind), int(answer)): int(count)
        for (series, kind, answer), count in zip(groups, counts, strict=True)
    }


_Links = dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]]


def _links(fit: _Fit) -> _Links:
    """Of each series, pairs of answers that its own points link: of one length, and of any."""
    sums: dict[tuple[int, int, int, bool], float] = {}
    seen = fit.seen
    for one, other in _pairs(seen):
        is_long = seen.is_mean[one] | seen.is_mean[other]
        real = ~(seen.is_mean[one] & seen.is_mean[other])
        for series, first, second, is_mixed, amount in zip(
            seen.series[one][real].tolist(),
            seen.answer[one][real].tolist(),
            seen.answer[other][real].tolist(),
            is_long[real].tolist(),
            np.minimum(seen.value[one], seen.value[other])[real].tolist(),
            strict=True,
        ):
            key = (series, first, second, is_mixed)
            sums[key] = sums.get(key, 0.0) + amount
    links: _Links = {}
    for (series, first, second, is_mixed), amount in sums.items():
        if amount >= MIN_SHARED:
            same, any_length = links.setdefault(series, ([], []))
            any_length.append((first, second))
            if not is_mixed:
                same.append((first, second))
    return links


def _methods(
    fit: _Fit,
    links: _Links,
    series: int,
    answers: IntArray,
    weights: FloatArray,
) -> dict[int, str]:
    """How each answer came to the scale of the longest of its component."""
    same, any_length = links.get(series, ([], []))
    by_overlap = _components(fit.answer_count, same)
    by_any = _components(fit.answer_count, any_length)
    methods: dict[int, str] = {}
    for component in np.unique(fit.component[answers]):
        inside = fit.component[answers] == component
        members = answers[inside]
        longest = int(members[np.argmax(weights[inside])])
        for answer in members.tolist():
            if len(members) == 1:
                methods[answer] = _NONE
            elif by_overlap[answer] == by_overlap[longest] and (
                answer != longest or (by_overlap[members] == by_overlap[longest]).sum() > 1
            ):
                methods[answer] = _OVERLAP
            elif by_any[answer] == by_any[longest] and (
                answer != longest or (by_any[members] == by_any[longest]).sum() > 1
            ):
                methods[answer] = _LONG
            else:
                methods[answer] = _ANCHOR
    return methods
