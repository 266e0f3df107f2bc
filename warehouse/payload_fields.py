"""Which fields a sample of payloads has, and of which types: the raw material of schema drift.

A payload is somebody else's: its keys are not trusted. What is no plain name counts as `*`, and so
do the keys of an object that is used as a map (a key for each thing), so that paths stay few
however many keys come. Depth, elements of an array and paths of a stream are bounded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_DEPTH = 8
MAX_ELEMENTS = 20
"""Elements of an array that are looked at."""
MAX_PATHS = 400
"""Of a stream; what comes on top is counted under its parent's `*`."""
MAP_KEYS = 40
"""An object inside a payload with more different keys than this, most of them rare, is a map."""
ROOT = "$"
ANY, OBJECT, ARRAY, NULL = "any", "object", "array", "null"

# Letters first and no more than an identifier holds: ids, addresses and sentences are not names.
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z_$@:-]*(?:[0-9]{1,3}[A-Za-z_]*)?\Z")
_NAME_LENGTH = 48

Path: TypeAlias = tuple[str, ...]
Row: TypeAlias = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """How paths are told: which objects are maps, and which paths have a row of their own."""

    maps: frozenset[Path]
    kept: frozenset[Path]

    def place(self, path: Path) -> Path | None:
        """The path under which `path` is counted; None if there is no room for it."""
        told = self.told(path)
        if told in self.kept:
            return told
        return (*told[:-1], "*") if told[:-1] in self.kept else None

    def told(self, path: Path) -> Path:
        """The path with `*` for the keys of maps."""
        told: Path = path[:1]
        for part in path[1:]:
            told = (*told, "*" if told in self.maps and part != "[]" else part)
        return told


@dataclass(slots=True)
class FieldCounts:
    """Records by path and type. A record counts once for a path and type, however often it holds
    them; `any` counts records in which the path holds something other than null.

    `known` are the paths that the stream had before: those stay, whatever the limit says.
    """

    known: Collection[str] = ()
    counts: Counter[tuple[Path, str]] = field(default_factory=Counter)

    def add(self, payload: str) -> bool:
        """Count one payload; false if it cannot be read."""
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        found: set[tuple[Path, str]] = set()
        for path, kind in _walk(value, (ROOT,)):
            found.add((path, kind))
            if kind != NULL:
                found.add((path, ANY))
        self.counts.update(found)
        return True

    def shape(self) -> Shape:
        """What of these counts is told."""
        maps = frozenset(_maps(self.counts, self.known))
        every = Shape(maps, frozenset())
        sizes: Counter[Path] = Counter()
        for (path, kind), count in self.counts.items():
            if kind in {ANY, NULL}:
                sizes[every.told(path)] += count
        ranked = sorted(
            sizes, key=lambda path: (joined(path) not in self.known, -sizes[path], path)
        )
        kept = set(ranked[: max(MAX_PATHS, len(self.known))])
        kept |= {path[:length] for path in kept for length in range(1, len(path))}
        return Shape(maps, frozenset(kept))

    def rows_in(self, shape: Shape) -> list[Row]:
        """Path, parent, type and number of records, sorted."""
        rows: Counter[tuple[Path, str]] = Counter()
        for (path, kind), count in self.counts.items():
            place = shape.place(path)
            if place is not None:
                # A record with two keys of a map would count twice.
                rows[place, kind] = min(rows[place, kind] + count, self.counts[(ROOT,), ANY])
        return sorted(
            (joined(path), joined(path[:-1]), kind, count) for (path, kind), count in rows.items()
        )


def _walk(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if value is None:
        yield path, NULL
    elif isinstance(value, bool):
        yield path, "boolean"
    elif isinstance(value, int | float):
        yield path, "number"
    elif isinstance(value, str):
        yield path, "string"
    elif isinstance(value, list):
        yield path, ARRAY
        if len(path) < MAX_DEPTH:
            for element in value[:MAX_ELEMENTS]:
                yield from _walk(element, (*path, "[]"))
    elif isinstance(value, dict):
        yield path, OBJECT
        if len(path) < MAX_DEPTH:
            for key, inner in value.items():
                yield from _walk(inner, (*path, name_of(key)))


def name_of(key: str) -> str:
    """A key as part of a path: itself if it is a plain name, else `*`."""
    return key if len(key) <= _NAME_LENGTH and _NAME.match(key) else "*"


def _maps(counts: Counter[tuple[Path, str]], known: Collection[str]) -> set[Path]:
    """The objects that are maps, by their own told paths; the outer ones are found first."""
    maps: set[Path] = set()
    for depth in range(2, MAX_DEPTH + 1):
        so_far = Shape(frozenset(maps), frozenset())
        children: dict[Path, Counter[str]] = {}
        objects: Counter[Path] = Counter()
        for (path, kind), count in counts.items():
            if len(path) == depth and kind == ANY and path[-1] != "[]":
                children.setdefault(so_far.told(path[:-1]), Counter())[path[-1]] += count
            elif len(path) == depth - 1 and kind == OBJECT:
                objects[so_far.told(path)] += count
        maps |= {
            parent
            for parent, keys in children.items()
            if _is_map(parent, keys, objects[parent], known)
        }
    return maps


def _is_map(parent: Path, keys: Counter[str], objects: int, known: Collection[str]) -> bool:
    if parent == (ROOT,):
        return False
    new = [key for key in keys if joined((*parent, key)) not in known]
    # Once a map, always a map: a small sample holds few of its keys.
    if joined((*parent, "*")) in known and 2 * len(new) > len(keys):
        return True
    # The keys that came before count too: day by day they are few.
    before = f"{joined(parent)}."
    children = {
        path.removeprefix(before).partition(".")[0].partition("[")[0]
        for path in known
        if path.startswith(before)
    }
    count = len(children | set(keys))
    return count > MAP_KEYS and sum(keys.values()) < 0.5 * count * objects


def joined(path: Path) -> str:
    """`$.user.tags[]`."""
    return ".".join(path).replace(".[]", "[]")


def count_fields(payloads: Iterable[str], known: Collection[str] = ()) -> list[Row]:
    """The rows of some payloads of one stream and day."""
    counts = FieldCounts(known)
    for payload in payloads:
        counts.add(payload)
    return counts.rows_in(counts.shape())
