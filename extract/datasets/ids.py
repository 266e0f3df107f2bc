"""Ids for rows that have none of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np


class Occurrences:
    """Ids for rows that have none: a hash of the row and how often the file had it before.

    So a line that stands twice in a file stays two lines, and the same file read again, or a longer
    export that holds the same line, gives the same ids. Eight bytes a row are kept.
    """

    def __init__(self) -> None:
        self._seen: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
        self._counts: dict[int, int] = {}

    def ids(self, keys: Sequence[str], context: str) -> list[str]:
        """One id a key, in order; `context` is what else tells the rows from those of others."""
        digests = [
            hashlib.blake2b(f"{context}\x1e{key}".encode("utf-8", "surrogatepass"), digest_size=16)
            for key in keys
        ]
        numbers = np.frombuffer(b"".join(digest.digest() for digest in digests), np.uint64)[::2]
        ids = [f"{digest.hexdigest()}-1" for digest in digests]
        for index in np.flatnonzero(self._repeated(numbers)):
            number = int(numbers[index])
            count = self._counts.get(number, self._before(number)) + 1
            self._counts[number] = count
            ids[index] = f"{digests[index].hexdigest()}-{count}"
        self._remember(numbers)
        return ids

    def _repeated(
        self, numbers: np.ndarray[Any, np.dtype[np.uint64]]
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        repeated: np.ndarray[Any, np.dtype[np.bool_]] = counts[inverse] > 1
        for seen in self._seen:
            places = np.minimum(np.searchsorted(seen, numbers), len(seen) - 1)
            repeated |= seen[places] == numbers
        return repeated

    def _before(self, number: int) -> int:
        for seen in self._seen:
            place = int(np.searchsorted(seen, np.uint64(number)))
            if place < len(seen) and int(seen[place]) == number:
                return 1
        return 0

    def _remember(self, numbers: np.ndarray[Any, np.dtype[np.uint64]]) -> None:
        if not len(numbers):
            return
        merged = np.unique(numbers)
        # Runs of doubling length: each number is merged a logarithmic number of times.
        while self._seen and len(self._seen[-1]) <= len(merged):
            merged = np.union1d(self._seen.pop(), merged)
        self._seen.append(merged)
