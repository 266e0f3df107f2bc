"""Random numbers that depend on what they are for, never on what was drawn before.

A generator is seeded by (seed, purpose, product, day). That is what makes the records of a day the
same whether the days before it were generated in this run, in another one, or not at all.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import TypeVar

import numpy as np

T = TypeVar("T")

BURN_IN_DAYS = 64
_BLOCK_DAYS = 64
_BUFFER = 512
_NORMAL = NormalDist()
_inverse_normal = _NORMAL.inv_cdf


@cache
def _code(name: str) -> int:
    """A number for a purpose or product that is the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def generator(seed: int, purpose: str, product_id: str = "", day: int = 0) -> np.random.Generator:
    """A generator of its own for one purpose, product and day (which may be negative)."""
    entropy = (seed, _code(purpose), _code(product_id), day + 1_000_000)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def daily_normals(seed: int, purpose: str, product_id: str, days: int) -> list[float]:
    """Standard normals of day -BURN_IN_DAYS .. days - 1, drawn in blocks: a longer list only
    continues a shorter one."""
    values: list[float] = []
    for block in range(-BURN_IN_DAYS // _BLOCK_DAYS, -(-days // _BLOCK_DAYS)):
        values += generator(seed, purpose, product_id, block).standard_normal(_BLOCK_DAYS).tolist()
    return values[: BURN_IN_DAYS + days]


class Dice:
    """Single draws from a generator at the price of a list access."""

    __slots__ = ("_buffer", "_generator", "_next")

    def __init__(self, rng: np.random.Generator) -> None:
        self._generator = rng
        self._buffer: list[float] = []
        self._next = 0

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if self._next >= len(self._buffer):
            self._buffer = self._generator.random(_BUFFER).tolist()
            self._next = 0
        self._next += 1
        return self._buffer[self._next - 1]

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return int(self.uniform() * limit)

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.uniform() * len(options))]

    def pick_weighted(self, options: Sequence[T], cumulative: Sequence[float]) -> T:
        """One option; `cumulative` are running sums of weights, the last one their total."""
        index = bisect_right(cumulative, self.uniform() * cumulative[-1])
        return options[min(index, len(options) - 1)]

    def normal(self) -> float:
        return _inverse_normal(min(max(self.uniform(), 1e-12), 1 - 1e-12))


def dice(seed: int, purpose: str, product_id: str = "", day: int = 0) -> Dice:
    """Dice of their own for one purpose, product and day."""
    return Dice(generator(seed, purpose, product_id, day))


def cumulate(weights: Sequence[float]) -> tuple[float, ...]:
    """Running sums."""
    return tuple(np.cumsum(np.asarray(weights, dtype=float)).tolist())
