"""Listings that come oldest change first, read by time instead of by page.

Each next question asks for what changed at or after the last instant met, from its first page. So
no question goes deep into a listing (platforms cap that), a stop needs no cursor that may expire,
and a record that changes while it is read moves to the end without pushing another one past us,
whatever the platform's cursors are made of. The instant is inclusive, so records that share it are
not lost; where they fill a whole page the platform's own cursor leads on through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from extract._outcomes import FixError, RetryError
from extract._state import STUCK_PAGES, Walk
from extract.base import Json, Record, Reject

_RECENT = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk goes on: at or after the second `position`, behind the cursor `after`. `depth`
    counts the objects read behind it; a listing that comes in no order `is_sorted` not, and is read
    by its cursors alone; `is_repeated` after a page that began before `position`."""

    position: int
    after: str | None = None
    depth: int = 0
    is_sorted: bool = True
    is_repeated: bool = False

    def state(self) -> Json:
        return {
            "position": self.position,
            "after": self.after,
            "depth": self.depth,
            "is_sorted": self.is_sorted,
            "is_repeated": self.is_repeated,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """One page: its records, the (id, second) of each in the order received (None where it has no
    readable one), the platform's cursor behind it, and whether more follows."""

    records: list[Record]
    places: list[tuple[str, int | None]]
    end: str | None
    has_more: bool
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def walk_by_time(
    walk: Walk,
    fetch: Callable[[Place], Found],
    *,
    start: int,
    latest: int,
    max_pages: int,
    deepest: int,
    what: str,
) -> Iterator[Found]:
    """Yield the pages of a walk; after each, `walk` is what to save.

    Positions beyond `latest` do not move the walk: a record from the future must not hide what
    comes after it. No question is led deeper than `deepest` objects.

    Raises:
        RetryError: the listing does not end; the walk begins anew next time.
        FixError: more than `deepest` records share one second, or come in no order.
        ExtractError: what `fetch` raises.
    """
    place = Place(**walk.resume) if walk.resume else Place(start)
    met: dict[tuple[str, int | None], None] = {}
    stuck = 0
    for number in range(1, max_pages + 1):
        found = fetch(place)
        stuck = 0 if any(key not in met for key in found.places) else stuck + 1
        met.update(dict.fromkeys(found.places))
        while len(met) > _RECENT:
            del met[next(iter(met))]
        seconds = [second for _, second in found.places if second is not None and second <= latest]
        if seconds:
            walk.top = max(seconds if walk.top is None else [walk.top, *seconds])
        is_last = not found.has_more or found.end is None
        is_circle = not is_last and stuck >= STUCK_PAGES
        if is_last:
            walk.finish()
        elif is_circle:
            walk.top, walk.resume = None, None
        else:
            place = _next(place, found, seconds)
            walk.resume = place.state()
            if number == max_pages:
                said = f"{what}: {max_pages:,} pages read; the next run goes on from there."
                found.notes.append(said)
        yield found
        if is_circle:
            raise RetryError(
                f"{what}: the listing does not end: page {number} leads back to pages already "
                "read.",
                "What was read has landed. Run again; if it stays, the platform or a proxy before "
                "it repeats its pages.",
            )
        if is_last:
            return
        if place.depth > deepest:
            raise FixError(
                f"{what}: more than {deepest:,} records share one instant, or come in no order; "
                "the platform does not show so many to a query.",
                'Read them in bulk: sources.shopify.bulk = "always".',
            )


def _next(place: Place, found: Found, seconds: list[int]) -> Place:
    is_early = bool(seconds) and seconds[0] < place.position
    is_sorted = place.is_sorted and seconds == sorted(seconds)
    if is_sorted and is_early and not place.is_repeated:
        # An answer to another question, out of a cache: once more.
        return replace(place, is_repeated=True)
    is_sorted = is_sorted and not is_early
    if is_sorted and seconds and seconds[-1] > place.position:
        return Place(seconds[-1])
    return Place(place.position, found.end, place.depth + len(found.places), is_sorted)
