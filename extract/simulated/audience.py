"""The accounts of the audience, one population a platform, and how much attention they get."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from extract.base import Json
from extract.simulated.calendar import iso_milliseconds
from extract.simulated.draws import Dice, cumulate, generator

_POPULATION = 6000
_PEOPLE = 5800
_SPAMMERS = 60  # the others are bots
_TRAITS = 13
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ren",
    "ta",
    "vi",
    "sol",
    "den",
    "bru",
    "nel",
    "pa",
    "qui",
    "os",
    "fer",
    "ju",
    "wen",
    "zo",
    "ari",
    "el",
    "mar",
    "tho",
    "ig",
    "yan",
    "cle",
    "hu",
    "dra",
    "sen",
    "bo",
)
_SUFFIXES = (
    "codes",
    "shop",
    "writes",
    "hq",
    "daily",
    "works",
    "studio",
    "builds",
    "sells",
    "reads",
    "io",
    "dev",
    "and_co",
    "official",
    "notes",
    "runs",
)
_BIOS = (
    "Small shop owner. Tea, dogs, spreadsheets.",
    "I build things and break them.",
    "",
    "Opinions are mine.",
    "Marketing by day, baking by night.",
    "Runner. Reader. Retailer.",
    "Analyst who likes plain charts.",
    "",
    "Parent of two, founder of one.",
    "Here for the news.",
    "Customer support survivor.",
    "Freelance since forever.",
)
_LAST_DAY_OF_BIRTH = datetime(2025, 11, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a platform; `followers` is its number on day 0."""

    number: int
    account_id: str
    username: str
    name: str
    bio: str
    created_at: datetime
    followers: int
    following: int
    post_count: int
    is_verified: bool


class Audience:
    """The accounts of one platform. Bots and spammers are accounts of their own."""

    def __init__(self, seed: int, platform: str, *, first_id: int, in_base36: bool = False) -> None:
        self._to_id: Callable[[int], str] = base36 if in_base36 else str
        rng = generator(seed, f"audience {platform}")
        self._ids = (first_id + rng.integers(1, 90_000, _POPULATION).cumsum()).tolist()
        self._followers = rng.lognormal(5.2, 1.9, _POPULATION).astype(int).tolist()
        self._traits = rng.random((_POPULATION, _TRAITS))
        self._met: dict[int, Account] = {}

    def account(self, number: int) -> Account:
        """The account with a number, made when it is first met."""
        if number not in self._met:
            self._met[number] = _account(
                number,
                self._to_id(self._ids[number]),
                self._followers[number],
                self._traits[number].tolist(),
            )
        return self._met[number]

    def author(self, luck: Dice, favourite: int) -> Account:
        """An account: few write much, many write little; each product has its own regulars."""
        skewed = luck.uniform() ** 2.2
        return self.account((int(skewed * _POPULATION * 0.97) + favourite) % _PEOPLE)

    def spammer(self, luck: Dice) -> Account:
        return self.account(_PEOPLE + luck.below(_SPAMMERS))

    def bot(self, number: int) -> Account:
        bots = _POPULATION - _PEOPLE - _SPAMMERS
        return self.account(_PEOPLE + _SPAMMERS + number % bots)


def _account(number: int, account_id: str, followers: int, traits: list[float]) -> Account:
    """Spell out an account from uniform numbers."""

    def pick(options: Sequence[str], trait: int) -> str:
        return options[int(traits[trait] * len(options))]

    stem = "".join(pick(_SYLLABLES, trait) for trait in range(2 + int(2 * traits[3])))
    tail = pick(_SUFFIXES, 4) if traits[5] < 0.35 else ""
    username = f"{stem}_{tail}{number}" if tail else f"{stem}{number}"
    is_machine = number >= _PEOPLE
    age_days = 40 if is_machine else 30 + int(5170 * traits[6])
    initial = f" {pick(_SYLLABLES, 7).capitalize()}." if number % 3 else ""
    return Account(
        number=number,
        account_id=account_id,
        username=username if len(username) <= 15 else f"{stem[:9]}{number}",
        name=stem.capitalize() + initial,
        bio=pick(_BIOS, 8),
        created_at=_LAST_DAY_OF_BIRTH - timedelta(days=age_days, seconds=int(86_400 * traits[9])),
        followers=20 + followers % 13 if is_machine else min(followers, 20_000_000),
        following=int(50 + 900 * traits[10]),
        post_count=int(10 + 20_000 * traits[11] ** 3),
        is_verified=traits[12] < 0.06 and not is_machine,
    )


def base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def x_user(account: Account, day: int) -> Json:
    """The account as an item of `includes.users` on a day; followers grow slowly."""
    growth = 1 + 0.0004 * day
    return {
        "id": account.account_id,
        "username": account.username,
        "name": account.name,
        "description": account.bio,
        "created_at": iso_milliseconds(account.created_at),
        "protected": False,
        "verified": account.is_verified,
        "verified_type": "blue" if account.is_verified else "none",
        "public_metrics": {
            "followers_count": int(account.followers * growth),
            "following_count": account.following,
            "post_count": account.post_count + day,
            "listed_count": account.followers // 120,
        },
    }


@dataclass(frozen=True, slots=True)
class Attention:
    """What a post ends up with, in counts."""

    impressions: int
    likes: int
    replies: int
    reposts: int
    quotes: int
    bookmarks: int


def attention(luck: Dice, followers: int) -> Attention:
    """Heavy-tailed: most posts are hardly seen, a few go around the world."""
    reach = (15 + 0.25 * followers) * math.exp(1.1 * luck.normal())
    if luck.chance(0.01):
        reach *= 10 + 40 * luck.uniform()
    likes = reach * 0.02 * math.exp(0.8 * luck.normal())
    return Attention(
        impressions=int(reach),
        likes=_whole(luck, likes),
        replies=_whole(luck, likes * 0.14),
        reposts=_whole(luck, likes * 0.12),
        quotes=_whole(luck, likes * 0.02),
        bookmarks=_whole(luck, likes * 0.05),
    )


def _whole(luck: Dice, mean: float) -> int:
    """A random rounding."""
    return int(mean + luck.uniform())


def seen_after(hours: float) -> float:
    """The share of the final attention that a post has after some hours."""
    return 1 - math.exp(-max(hours, 0.0) / 9.0)


HOURS = {
    # Relative activity by hour of the business day, one platform unlike the other.
    "x": (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 9, 8, 7, 7, 7, 8, 8, 7, 7, 6, 5, 3),
    "reddit": (5, 4, 3, 2, 2, 2, 2, 3, 4, 5, 6, 7, 7, 7, 7, 8, 8, 9, 9, 10, 10, 10, 9, 7),
    "shop": (2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 10, 9, 10, 10, 9, 8, 7, 6, 6, 6, 5, 4, 3),
}
_HOUR_SUMS = {name: cumulate(weights) for name, weights in HOURS.items()}
_ALL_HOURS = tuple(range(24))


def time_of_day(luck: Dice, where: str) -> float:
    """A moment as a fraction of the day."""
    hour = luck.pick_weighted(_ALL_HOURS, _HOUR_SUMS[where])
    return (hour + luck.uniform()) / 24
