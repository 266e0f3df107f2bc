"""Reviews, calendar events and search interest around the simulated shop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from extract.base import Json, Record
from extract.simulated import phrases
from extract.simulated.audience import Audience, time_of_day
from extract.simulated.calendar import Clock, Window, closed_days, holidays, iso_seconds
from extract.simulated.draws import Dice, dice
from extract.simulated.grammar import NEGATIVE, NEUTRAL, POSITIVE, Voice, Writer
from extract.simulated.world import World

REVIEWS = "storefront/reviews"
EVENTS = "storefront/calendar_events"
INTEREST = "google_trends/interest"

_REVIEWS_PER_UNIT = 0.035
_ANNOUNCED_DAYS = 14
_WINDOW_DAYS = 240
_STARS = {
    POSITIVE: (5, 5, 5, 5, 5, 5, 4, 4, 4, 3),
    NEUTRAL: (3, 3, 3, 4, 4, 2, 3, 4, 5, 3),
    NEGATIVE: (1, 1, 1, 1, 2, 2, 2, 3, 1, 5),
}


def review_records(
    *,
    seed: int,
    day: int,
    clock: Clock,
    audience: Audience,
    worlds: Sequence[World],
    voices: Sequence[Voice],
) -> tuple[list[Record], list[Record]]:
    """The day's reviews, and those of them that are edited the day after.

    The number follows the units of the week before; what is said follows the product, not the
    daily mood, so that reviews hold no second copy of the planted link.
    """
    now: list[Record] = []
    later: list[Record] = []
    fetched_at, next_fetch = clock.fetched_at(day), clock.fetched_at(day + 1)
    for index, world in enumerate(worlds):
        recent = world.units[max(0, day - 7) : day]
        if not recent:
            continue
        luck = dice(seed, "reviews", world.product_id, day)
        writer = Writer(luck)
        mean = _REVIEWS_PER_UNIT * sum(recent) / len(recent)
        for number in range(_small_count(luck, mean)):
            payload = _review(writer, world, voices[index], audience, day, number, clock)
            now.append(Record(REVIEWS, payload["review_id"], payload, fetched_at))
            if luck.chance(0.02):
                edited_at = clock.at(day + 1, time_of_day(luck, "shop"))
                edited = {
                    **payload,
                    "rating": max(1, min(5, payload["rating"] + luck.pick((-1, 1)))),
                    "body": f"{payload['body']} Update: changed my rating.".strip(),
                    "updated_at": iso_seconds(edited_at),
                }
                later.append(Record(REVIEWS, payload["review_id"], edited, next_fetch))
    return now, later


def _review(
    writer: Writer,
    world: World,
    voice: Voice,
    audience: Audience,
    day: int,
    number: int,
    clock: Clock,
) -> Json:
    luck = writer.dice
    roll = luck.uniform() - 0.3 * world.positivity
    polarity = POSITIVE if roll < 0.60 else NEUTRAL if roll < 0.74 else NEGATIVE
    rating = luck.pick(_STARS[polarity])
    mention = writer.plain_mention(voice).lstrip("#@$")
    if luck.chance(0.07):
        body = ""
    elif luck.chance(0.06):
        body = writer.foreign(luck.pick(("es", "de", "fr", "pt")), polarity, mention)
    else:
        text = writer.long_opinion(polarity, voice, mention, 1 + luck.below(3))
        body = writer.roughen(text, [mention])
    created_at = iso_seconds(clock.at(day, time_of_day(luck, "shop")))
    key = f"{world.product_id}|{day}|{number}"
    return {
        "review_id": f"rev_{hashlib.sha256(key.encode()).hexdigest()[:16]}",
        "sku": luck.pick(world.skus),
        "rating": rating,
        "title": luck.pick(phrases.REVIEW_TITLES[rating]) if luck.chance(0.8) else None,
        "body": body,
        "author_name": audience.author(luck, 17).name,
        "verified_purchase": luck.chance(0.86),
        "created_at": created_at,
        "updated_at": created_at,
    }


def _small_count(luck: Dice, mean: float) -> int:
    """A Poisson count for a small mean, by counting waiting times."""
    total, count = luck.uniform(), 0
    limit = 2.718281828459045 ** -min(mean, 500.0)
    while total > limit:
        total *= luck.uniform()
        count += 1
    return count


def event_records(*, day: int, clock: Clock, worlds: Sequence[World]) -> list[Record]:
    """What the shop's calendar says anew on a day.

    Holidays and closed days are announced two weeks ahead, promotions on their first day; a
    stock-out is extended day by day, since nobody knows its end.
    """
    fetched_at = clock.fetched_at(day)
    ahead = range(day, day + _ANNOUNCED_DAYS + 1) if day == 0 else (day + _ANNOUNCED_DAYS,)
    found = [event for other in ahead for event in _public_events(clock.date(other))]
    for world in worlds:
        for window in world.promotions:
            if window.first_day == day:
                name = f"{world.product.product_name} {round(100 * window.strength)} % off"
                found += _sku_events("promotion", name, world, window, clock, window.last_day)
        for window in world.stock_outs:
            if window.first_day <= day <= window.last_day:
                name = f"{world.product.product_name} sold out"
                found += _sku_events("stock_out", name, world, window, clock, day)
    return [Record(EVENTS, event["event_id"], event, fetched_at) for event in found]


def _public_events(on: date) -> list[Json]:
    events = []
    if on in holidays(on.year):
        events.append(_event("holiday", None, holidays(on.year)[on][0], on, on))
    if on in closed_days(on.year):
        events.append(_event("closed", None, closed_days(on.year)[on], on, on))
    return events


def _sku_events(
    kind: str, name: str, world: World, window: Window, clock: Clock, last_day: int
) -> list[Json]:
    first, last = clock.date(window.first_day), clock.date(last_day)
    return [_event(kind, sku, name, first, last) for sku in world.skus]


def _event(kind: str, sku: str | None, name: str, first: date, last: date) -> Json:
    return {
        "event_id": f"{kind}-{sku or 'shop'}-{first.isoformat()}",
        "kind": kind,
        "sku": sku,
        "name": name,
        "starts_on": first.isoformat(),
        "ends_on": last.isoformat(),
    }


def interest_records(
    *, day: int, clock: Clock, worlds: Sequence[World], terms: Sequence[str], geo: str
) -> list[Record]:
    """Search interest of the day so far (partial), and of the day before, now whole.

    All windows have one constant scale, on which a usual day of a product is about 45.
    """
    fetched_at = clock.fetched_at(day)
    found = []
    for world, term in zip(worlds, terms, strict=True):
        for on_day, is_partial in ((day - 1, False), (day, True)):
            if on_day < 0:
                continue
            first = on_day // _WINDOW_DAYS * _WINDOW_DAYS
            last = min(day, first + _WINDOW_DAYS - 1)
            payload = {
                "term": term,
                "geo": geo,
                "date": clock.date(on_day).isoformat(),
                "value": _interest(world, on_day, is_partial=is_partial),
                "is_partial": is_partial,
                "resolution": "day",
                "window_start": clock.date(first).isoformat(),
                "window_end": clock.date(last).isoformat(),
                "draw": 1,
                "scale": "constant",
            }
            record_id = f"{term}|{geo}|{payload['date']}|{payload['window_start']}"
            found.append(Record(INTEREST, record_id, payload, fetched_at))
    return found


def _interest(world: World, day: int, *, is_partial: bool) -> int | str:
    """An integer 0 to 100, or "<1"; a product that few look for is near nothing."""
    usual = 45.0 if world.scenario.kind != "intermittent" else 1.1
    value = usual * world.search_interest[day] * (0.7 if is_partial else 1.0)
    if 0 < value < 1:
        return "<1" if value >= 0.35 else 0
    return min(100, round(value))
