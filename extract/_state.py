"""How far a source has been read: what its cursor holds, and how a listing is walked.

Listings come newest first, so nothing is known to be complete before their walk has reached what
was read last time. A `Walk` therefore keeps apart `done` (everything up to there has landed), `top`
(the newest position met on the way) and `resume` (where a stopped walk goes on). Positions are
whole numbers that grow with time: seconds, or ids that hold their time.

Each walk goes below `done` by an overlap and `Seen` drops what comes again unchanged: late records
and those that share the last instant are caught, changed ones land as new snapshots.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from extract._outcomes import FixError, RetryError, StopError
from extract.base import Cursor, ExtractError, Json, Page, Record, Reject

SEEN_LIMIT = 2_000
STUCK_PAGES = 3
_RECENT_IDS = 20_000


class CursorError(ExtractError):
    """A source's saved cursor cannot be used."""


def digest(payload: Mapping[str, Any], *, without: tuple[str, ...] = ()) -> str:
    """Hex digits that tell contents apart, whatever the order of their keys."""
    kept = {key: value for key, value in payload.items() if key not in without}
    return _hash(json.dumps(kept, sort_keys=True, ensure_ascii=True, default=str), 6)


def _hash(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()


def seen_key(stream: str, record_id: str) -> str:
    """The name under which `Seen` keeps a record of `<source>/<stream>`."""
    return _hash(f"{stream}|{record_id}", 8)


class Seen:
    """The last contents of the records met lately, at most `limit`: the oldest are forgotten.

    A forgotten record that comes again lands again; staging keeps each content once.
    """

    def __init__(
        self,
        known: Mapping[str, str] | None = None,
        *,
        limit: int = SEEN_LIMIT,
        without: tuple[str, ...] = (),
    ) -> None:
        self._known = {str(key): str(value) for key, value in (known or {}).items()}
        self._limit = limit
        self._without = without

    def is_new(self, record: Record) -> bool:
        """Whether this content of the record is another than the last one met; remembers it."""
        # Hashed, because ids of feeds are long and the cursor is written with every commit.
        key = seen_key(record.stream, record.record_id)
        return self._remember(key, digest(record.payload, without=self._without))

    def is_new_reject(self, reject: Reject) -> bool:
        """Whether this text was not refused lately for the same reason; remembers it."""
        return self._remember(_hash(f"{reject.stream}|{reject.text}|{reject.reason}", 8), "")

    def _remember(self, key: str, content: str) -> bool:
        is_new = self._known.pop(key, None) != content
        self._known[key] = content
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]
        return is_new

    def state(self) -> Json:
        return dict(self._known)


@dataclass(slots=True)
class Walk:
    """How far one query or listing has been read."""

    done: int | None = None
    top: int | None = None
    resume: Json | None = None

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> Walk:
        """From a cursor's entry.

        Raises:
            CursorError: it holds something else.
        """
        walk = cls(**dict(state or {}))
        numbers_are_whole = all(
            value is None or (isinstance(value, int) and not isinstance(value, bool))
            for value in (walk.done, walk.top)
        )
        if not numbers_are_whole or not isinstance(walk.resume, dict | None):
            raise CursorError("A cursor holds no usable position.", CURSOR_REMEDY)
        return walk

    def state(self) -> Json:
        return {"done": self.done, "top": self.top, "resume": self.resume}

    def finish(self) -> None:
        """The walk has reached what was known: everything up to its top has landed."""
        if self.top is not None:
            self.done = self.top if self.done is None else max(self.done, self.top)
        self.top, self.resume = None, None


CURSOR_REMEDY = (
    "Delete the newest records of this source below landing/_commits of the target: the source "
    "goes on from an older cursor, and what comes twice is counted once."
)


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of a listing. `positions` are those of its own records, by id; `resume` says where
    the next page is, None at the end; `reached` that the rest is known from before."""

    records: list[Record]
    positions: Mapping[str, int]
    resume: Json | None
    reached: bool = False
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def walk_listing(
    walk: Walk,
    seen: Seen,
    fetch: Callable[[Json | None], Batch],
    *,
    latest: int,
    max_pages: int,
    what: str,
) -> Iterator[Batch]:
    """Yield the pages of a walk with what is new in each; after each, `walk` is what to save.

    `fetch(resume)` gets a page. Positions beyond `latest` do not move the walk's top: a record
    from the future must not hide what comes after it. After `max_pages` the walk stops where it is
    and the next run goes on there.

    Raises:
        RetryError: the listing does not end (it gives the same records again and again); the walk
            begins anew next time.
        ExtractError: what `fetch` raises.
    """
    met: dict[str, None] = {}
    stuck = 0
    for number in range(1, max_pages + 1):
        batch = fetch(walk.resume)
        new_ids = [key for key in batch.positions if key not in met]
        met.update(dict.fromkeys(new_ids))
        while len(met) > _RECENT_IDS:
            del met[next(iter(met))]
        positions = [position for position in batch.positions.values() if position <= latest]
        if positions:
            walk.top = max(positions if walk.top is None else [walk.top, *positions])
        is_last = batch.reached or batch.resume is None
        stuck = 0 if new_ids else stuck + 1
        is_circle = not is_last and stuck >= STUCK_PAGES
        notes = list(batch.notes)
        if is_last:
            walk.finish()
        elif is_circle:
            walk.top, walk.resume = None, None
        else:
            walk.resume = batch.resume
            if number == max_pages:
                notes.append(f"{what}: {max_pages:,} pages read; the next run goes on from there.")
        new = [record for record in batch.records if seen.is_new(record)]
        rejects = [reject for reject in batch.rejects if seen.is_new_reject(reject)]
        yield Batch(new, batch.positions, walk.resume, is_last, rejects, notes)
        if is_circle:
            raise RetryError(
                f"{what}: the listing does not end: page {number} leads back to pages already "
                "read.",
                "What was read has landed. Run again; if it stays, the platform or a proxy before "
                "it repeats its pages.",
            )
        if is_last:
            return


@dataclass(slots=True)
class Progress:
    """A source's whole cursor: walks by query, contents seen lately, and what else it keeps."""

    walks: dict[str, Walk] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    extra: Json = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor, *, source: str, without: tuple[str, ...] = ()) -> Progress:
        """From a saved cursor; the empty one is the beginning.

        Raises:
            CursorError: it was written by something else.
        """
        content = dict(cursor)
        try:
            walks = {str(key): Walk.of(value) for key, value in content.get("walks", {}).items()}
            seen = Seen(content.get("seen", {}), without=without)
            return cls(walks, seen, dict(content.get("extra", {})))
        except (TypeError, AttributeError, ValueError) as error:
            raise CursorError(f"{source}: the saved cursor cannot be used.", CURSOR_REMEDY) from (
                error
            )

    def walk(self, key: str) -> Walk:
        return self.walks.setdefault(key, Walk())

    def keep_only(self, keys: Sequence[str]) -> None:
        """Forget the walks of queries that are no longer asked; a begun backfill is kept."""
        self.walks = {
            key: walk
            for key, walk in self.walks.items()
            if key in set(keys) or (" [" in key and walk.resume is not None)
        }

    def cursor(self) -> Json:
        return {
            "walks": {key: walk.state() for key, walk in self.walks.items()},
            "seen": self.seen.state(),
            "extra": dict(self.extra),
        }

    def page(self, batch: Batch) -> Page:
        """A page of new records with the cursor that is valid once they have landed."""
        return Page(batch.records, self.cursor(), list(batch.rejects), list(batch.notes))


def window_key(key: str, since: datetime | None, until: datetime | None) -> str:
    """The name of a query's walk; a backfill has one of its own and leaves the usual one alone."""
    if since is None and until is None:
        return key
    first = since.isoformat() if since else ""
    last = until.isoformat() if until else ""
    return f"{key} [{first}..{last}]"


def and_what_came_since(
    progress: Progress, key: str, walk_once: Callable[[], Iterator[Page]], *, is_backfill: bool
) -> Iterator[Page]:
    """Yield the pages of a walk; one that an earlier run left half-way is finished first, and what
    was published since is then read as well."""
    was_stopped = progress.walk(key).resume is not None
    yield from walk_once()
    if was_stopped and not is_backfill and progress.walk(key).resume is None:
        yield from walk_once()


def one_after_the_other(
    parts: Sequence[tuple[str, Callable[[], Iterator[Page]]]], *, source: str
) -> Iterator[Page]:
    """Yield the pages of all parts; one that must be fixed does not stop the others.

    Raises:
        FixError: at the end, naming every part that failed; at once for refused credentials.
        ExtractError: what else a part raises, at once.
    """
    failed: list[tuple[str, FixError]] = []
    for name, pages in parts:
        try:
            yield from pages()
        except FixError as error:
            if error.is_credential or len(parts) == 1:
                raise
            failed.append((name, error))
    if failed:
        listed = "; ".join(f"{name}: {error.message}" for name, error in failed)
        raise FixError(
            f"{source}: {len(failed)} of {len(parts)} parts failed, the others are complete. "
            f"{listed}",
            failed[0][1].remedy,
        )


def each_on_its_own(
    parts: Sequence[tuple[str, Callable[[], Iterator[Page]]]], *, source: str
) -> Iterator[Page]:
    """Yield the pages of parts that have nothing in common but our budget, such as the shops or
    servers of one source: one that is down or refuses does not stop the others.

    Raises:
        StopError: at once, because the budget is spent for all.
        ExtractError: at the end, the first failure; the message names every part that failed.
    """
    failed: list[tuple[str, ExtractError]] = []
    for name, pages in parts:
        try:
            yield from pages()
        except StopError:
            raise
        except ExtractError as error:
            if len(parts) == 1:
                raise
            failed.append((name, error))
    if failed:
        listed = "; ".join(f"{name}: {error.message}" for name, error in failed)
        first = failed[0][1]
        raise type(first)(
            f"{source}: {len(failed)} of {len(parts)} parts failed, the others are complete. "
            f"{listed}",
            first.remedy,
        )
