"""Posts on X in the shape of API v2 (field names of specification 2.167) and their authors."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from extract.base import Json, Record
from extract.simulated import phrases
from extract.simulated.audience import (
    Account,
    Attention,
    Audience,
    attention,
    seen_after,
    time_of_day,
    x_user,
)
from extract.simulated.calendar import Clock, iso_milliseconds
from extract.simulated.draws import Dice, dice
from extract.simulated.grammar import NEGATIVE, NEUTRAL, POSITIVE, Voice, Writer
from extract.simulated.world import World, posts_on_x

POSTS, USERS = "x/posts", "x/users"

_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
_LIMIT = 280
_CAMPAIGN_BLOCK_DAYS = 30
_ENTITY = re.compile(r"(?<![\w@#$&])(?:#(\w+)|@(\w{1,15})|\$([A-Za-z]{1,6})\b)|(https://t\.co/\w+)")
_SIGNS = ("#", "@", "$", "://")
_MOOD_SLOPE = 0.45
_URL_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Post:
    """One version of a post before it takes its wire shape."""

    post_id: str
    at: datetime
    author: Account
    text: str
    language: str | None
    attention: Attention
    history: tuple[str, ...]
    conversation_id: str
    references: tuple[tuple[str, str], ...] = ()
    reply_to: str | None = None
    is_withheld: bool = False


def draw_polarity(luck: Dice, world: World, day: int, offset: float) -> int:
    """Positive, neutral or negative: the latent mood of the day only tilts the odds."""
    tilt = _MOOD_SLOPE * world.mood[day] + world.positivity + offset
    good, bad = 0.36 * math.exp(tilt), 0.30 * math.exp(-tilt)
    roll = luck.uniform() * (good + bad + 0.34)
    return POSITIVE if roll < good else NEGATIVE if roll < good + bad else NEUTRAL


@dataclass(slots=True)
class _Day:
    """What the products of one day share; ids are counted over all of them."""

    seed: int
    day: int
    clock: Clock
    audience: Audience
    count: int = 0

    def new_id(self, at: datetime) -> str:
        """An id as the platform makes them: milliseconds above 22 bits of sequence."""
        milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
        self.count += 1
        return str((milliseconds << 22) | (self.count & 0x3FFFFF))


class _ProductDay:
    """The posts about one product on one day; `names` are all products' names by position."""

    def __init__(
        self,
        shared: _Day,
        world: World,
        voices: Sequence[Voice],
        index: int,
        names: Sequence[str],
    ) -> None:
        self._shared = shared
        self._world = world
        self._voice = voices[index]
        self._index = index
        self._names = names
        self._day = shared.day
        self._luck = dice(shared.seed, "x posts", world.product_id, shared.day)
        self._writer = Writer(self._luck)
        self._made: list[Post] = []

    def posts(self) -> Iterator[tuple[Post, int]]:
        """(post, day it is fetched first)."""
        count = self._world.posts[self._day]
        for _ in range(posts_on_x(self._shared.seed, self._world, self._day)):
            yield from self._genuine()
        extras: Sequence[tuple[float, Callable[[], Post | None]]] = (
            (0.06, self._repost),
            (0.015, self._copy),
            (0.03, self._spam),
            (0.025, self._off_topic),
            (0.015, self._chatter),
        )
        for ratio, make in extras:
            for _ in range(int(count * ratio + self._luck.uniform())):
                post = make()
                if post is not None:
                    yield post, self._day
        for post in self._bots(count):
            yield post, self._day

    def _genuine(self) -> Iterator[tuple[Post, int]]:
        luck, writer, voice = self._luck, self._writer, self._voice
        polarity = draw_polarity(luck, self._world, self._day, 0.05)
        mention = writer.mention(voice)
        language = writer.language()
        keep = [mention]
        if language != "en":
            clean = writer.decorate(
                writer.foreign(language, polarity, mention), polarity, self._tags()
            )
            text = clean
        else:
            clean = writer.decorate(self._english(polarity, mention, keep), polarity, self._tags())
            text = writer.roughen(clean, keep)
        if luck.chance(0.05):
            text = f"{text} {_link(luck)}"
        at = self._moment()
        reference: tuple[tuple[str, str], ...] = ()
        conversation, reply_to = "", None
        roll = luck.uniform()
        if self._made and roll < 0.12:
            origin = luck.pick(self._made)
            at = self._after(origin.at)
            if roll < 0.08:
                text = f"@{origin.author.username} {text}"
                reference = (("replied_to", origin.post_id),)
                conversation, reply_to = origin.conversation_id, origin.author.account_id
            else:
                text = f"{text} {_link(luck)}"
                reference = (("quoted", origin.post_id),)
        post = self._make(at, self._author(), text, language, reference, conversation, reply_to)
        if luck.chance(0.001):
            post = replace(post, is_withheld=True)
        self._made.append(post)
        yield post, self._day
        if luck.chance(0.012):
            yield from self._edits(post, clean)

    def _english(self, polarity: int, mention: str, keep: list[str]) -> str:
        luck, writer, voice = self._luck, self._writer, self._voice
        if luck.chance(0.03):
            return writer.long_opinion(polarity, voice, mention, 4 + luck.below(4))
        if len(self._names) > 1 and luck.chance(0.05):
            step = 1 + luck.below(len(self._names) - 1)
            other = self._names[(self._index + step) % len(self._names)]
            keep.append(other)
            return writer.opinion(polarity, voice, mention, other)
        return writer.opinion(polarity, voice, mention)

    def _edits(self, post: Post, clean: str) -> Iterator[tuple[Post, int]]:
        """The edited versions: each has an id of its own and names the chain."""
        luck = self._luck
        end = self._shared.clock.start(self._day + 1)
        for number in range(1 + luck.chance(0.2)):
            at = post.at + timedelta(minutes=2 + luck.below(25))
            new_id = self._shared.new_id(at)
            fixed = clean if number == 0 and clean != post.text else f"{clean} (edited)"
            post = replace(post, post_id=new_id, at=at, text=fixed, history=(*post.history, new_id))
            is_late = at >= end or luck.chance(0.4)
            yield post, self._day + (1 if is_late else 0)
            if is_late:
                return

    def _repost(self) -> Post | None:
        if not self._made:
            return None
        origin = self._luck.pick(self._made)
        text = f"RT @{origin.author.username}: {origin.text}"
        shortened = text if len(text) <= 140 else text[:139] + "…"
        post = self._make(
            self._after(origin.at),
            self._author(),
            shortened,
            origin.language,
            (("retweeted", origin.post_id),),
        )
        nothing = Attention(0, 0, 0, origin.attention.reposts, 0, 0)
        return replace(post, attention=nothing)

    def _copy(self) -> Post | None:
        """Somebody else's text as one's own."""
        if not self._made:
            return None
        origin = self._luck.pick(self._made)
        if origin.reply_to or origin.references:
            return None
        return self._make(self._after(origin.at), self._author(), origin.text, origin.language)

    def _spam(self) -> Post:
        luck = self._luck
        text = self._writer.spam(self._voice, self._writer.mention(self._voice), _link(luck))
        account = self._shared.audience.spammer(luck)
        return self._make(self._moment(), account, text, "en")

    def _off_topic(self) -> Post | None:
        if not self._voice.exclusions:
            return None
        text = self._writer.off_topic(self._luck.pick(self._voice.exclusions), self._voice)
        return self._make(self._moment(), self._author(), text, "en")

    def _chatter(self) -> Post:
        text = self._writer.chatter(self._voice)
        return self._make(self._moment(), self._author(), text, "en")

    def _bots(self, count: int) -> Iterator[Post]:
        """A campaign of one to three days in which few accounts say nearly the same often."""
        block, offset = divmod(self._day, _CAMPAIGN_BLOCK_DAYS)
        plan = dice(self._shared.seed, "bots", self._world.product_id, block)
        if not plan.chance(0.35):
            return
        first, length = plan.below(_CAMPAIGN_BLOCK_DAYS - 3), 1 + plan.below(3)
        if not first <= offset < first + length:
            return
        frames = phrases.BOT_GOOD if plan.chance(0.5) else phrases.BOT_BAD
        frame, base, size = plan.pick(frames), plan.below(140), 3 + plan.below(3)
        luck = self._luck
        for number in range(int(count * (0.4 + 0.5 * luck.uniform()))):
            text = frame.replace("{p}", self._writer.mention(self._voice))
            tag = luck.pick(phrases.HASHTAGS)
            ending = luck.pick(("", "", "!", "!!", f" #{tag}", f" {number}"))
            account = self._shared.audience.bot(base + luck.below(size))
            yield self._make(self._moment(), account, text + ending, "en")

    def _make(
        self,
        at: datetime,
        author: Account,
        text: str,
        language: str | None,
        references: tuple[tuple[str, str], ...] = (),
        conversation_id: str = "",
        reply_to: str | None = None,
    ) -> Post:
        post_id = self._shared.new_id(at)
        if self._luck.chance(0.003):
            language = None
        return Post(
            post_id=post_id,
            at=at,
            author=author,
            text=text,
            language=language,
            attention=attention(self._luck, author.followers),
            history=(post_id,),
            conversation_id=conversation_id or post_id,
            references=references,
            reply_to=reply_to,
        )

    def _author(self) -> Account:
        return self._shared.audience.author(self._luck, 211 * self._index)

    def _tags(self) -> Sequence[str]:
        for group in self._voice.groups:
            if group[0].startswith("#"):
                return [tag[1:] for tag in group]
        return phrases.HASHTAGS

    def _moment(self) -> datetime:
        return self._shared.clock.at(self._day, time_of_day(self._luck, "x"))

    def _after(self, at: datetime) -> datetime:
        """A later moment of the same business day."""
        last = self._shared.clock.start(self._day + 1) - timedelta(milliseconds=1)
        waited = at + timedelta(seconds=20 + int(14_400 * self._luck.uniform() ** 2))
        return min(waited, last)


def _link(luck: Dice) -> str:
    return "https://t.co/" + "".join(luck.pick(_URL_LETTERS) for _ in range(10))


def _entities(text: str) -> Json:
    """Tags, names and links of a text with their positions."""
    found: Json = {}
    if not any(sign in text for sign in _SIGNS):
        return found
    for match in _ENTITY.finditer(text):
        span = {"start": match.start(), "end": match.end()}
        hashtag, username, cashtag, url = match.groups()
        if hashtag:
            found.setdefault("hashtags", []).append({**span, "tag": hashtag})
        elif username:
            found.setdefault("mentions", []).append({**span, "username": username})
        elif cashtag:
            found.setdefault("cashtags", []).append({**span, "tag": cashtag})
        else:
            expanded = f"https://links.example/{url[-10:]}"
            found.setdefault("urls", []).append(
                {
                    **span,
                    "url": url,
                    "expanded_url": expanded,
                    "display_url": expanded.removeprefix("https://"),
                }
            )
    return found


def post_payload(post: Post, fetched_at: datetime) -> Json:
    """The post as an item of `data[]`, with the metrics it has when it is fetched."""
    text = html.escape(post.text, quote=False)
    share = seen_after((fetched_at - post.at).total_seconds() / 3600)
    seen = post.attention
    is_repost = bool(post.references) and post.references[0][0] == "retweeted"
    payload: Json = {
        "id": post.post_id,
        "author_id": post.author.account_id,
        "conversation_id": post.conversation_id,
        "created_at": iso_milliseconds(post.at),
        "edit_history_post_ids": list(post.history),
        "edit_controls": {
            "edits_remaining": max(0, 6 - len(post.history)),
            "is_edit_eligible": not post.references,
            "editable_until": iso_milliseconds(post.at + timedelta(hours=1)),
        },
        "text": text,
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "public_metrics": {
            "repost_count": seen.reposts if is_repost else int(seen.reposts * share),
            "reply_count": int(seen.replies * share),
            "like_count": int(seen.likes * share),
            "quote_count": int(seen.quotes * share),
            "bookmark_count": int(seen.bookmarks * share),
            "impression_count": int(seen.impressions * share),
        },
    }
    if len(text) > _LIMIT:
        cut = text[: _LIMIT - 26].rsplit(" ", 1)[0]
        payload["text"] = f"{cut}… https://t.co/{post.post_id[-10:]}"
        note: Json = {"text": text}
        if entities := _entities(text):
            note["entities"] = entities
        payload["note_post"] = note
    if entities := _entities(payload["text"]):
        payload["entities"] = entities
    if post.language is not None:
        payload["lang"] = post.language
    if post.references:
        payload["referenced_posts"] = [
            {"type": kind, "id": post_id} for kind, post_id in post.references
        ]
    if post.reply_to:
        payload["in_reply_to_user_id"] = post.reply_to
    if post.is_withheld:
        payload["withheld"] = {"copyright": False, "country_codes": ["DE", "FR"], "scope": "post"}
    return payload


def day_records(
    *,
    seed: int,
    day: int,
    clock: Clock,
    audience: Audience,
    worlds: Sequence[World],
    voices: Sequence[Voice],
    names: Sequence[str],
) -> tuple[list[Record], list[Record]]:
    """What is fetched at the end of the day, and what of this day is fetched a day later.

    A day later come edits, a fifth of the posts again with higher metrics, and a few unchanged.
    """
    shared = _Day(seed, day, clock, audience)
    luck = dice(seed, "x snapshots", "", day)
    fetched_at, next_fetch = clock.fetched_at(day), clock.fetched_at(day + 1)
    now: list[Record] = []
    later: list[Record] = []
    authors: dict[str, Account] = {}
    found = (
        pair
        for index, world in enumerate(worlds)
        if world.posts[day]
        for pair in _ProductDay(shared, world, voices, index, names).posts()
    )
    for post, first_day in found:
        if first_day == day:
            record = Record(POSTS, post.post_id, post_payload(post, fetched_at), fetched_at)
            now.append(record)
            authors.setdefault(post.author.account_id, post.author)
            roll = luck.uniform()
            if roll < 0.20:
                payload = post_payload(post, next_fetch)
                later.append(Record(POSTS, post.post_id, payload, next_fetch))
            elif roll < 0.21:  # an overlap lands the same content again
                later.append(Record(POSTS, post.post_id, record.payload, next_fetch))
        else:
            payload = post_payload(post, next_fetch)
            later.append(Record(POSTS, post.post_id, payload, next_fetch))
    users = [
        Record(USERS, account_id, x_user(account, day), fetched_at)
        for account_id, account in sorted(authors.items())
    ]
    return users + now, later
