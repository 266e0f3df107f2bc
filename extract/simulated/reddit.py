"""Submissions on Reddit as children of a listing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from extract.base import Json, Record
from extract.simulated.audience import Account, Audience, base36, seen_after, time_of_day
from extract.simulated.calendar import Clock
from extract.simulated.draws import Dice, dice
from extract.simulated.grammar import POSITIVE, Voice, Writer
from extract.simulated.world import World, posts_on_x
from extract.simulated.x import draw_polarity

SUBMISSIONS = "reddit/submissions"
_FIRST_NUMBER = 36**6 + 123_456_789
_NUMBERS_A_DAY = 10_000_000
_COMMUNITIES = ("ShopkeepersPlaza", "SideDeskTalk", "ToolsAndTeapots")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def _community(category: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in category.split()) + "Plaza"


def _slug(title: str) -> str:
    return _NOT_WORD.sub("_", title.lower()).strip("_")[:50]


class _Submission:
    """One submission before it takes its wire shape."""

    __slots__ = ("at", "author", "comments", "score", "selftext", "subreddit", "suffix", "title")

    def __init__(self, luck: Dice, suffix: str, at: datetime, author: Account) -> None:
        self.suffix = suffix
        self.at = at
        self.author = author
        self.score = int(1 + 1.5 / (1.02 - luck.uniform()) ** 1.05)
        self.comments = int(self.score * 0.4 * luck.uniform() + 2 * luck.uniform())
        self.title = ""
        self.selftext = ""
        self.subreddit = ""

    def payload(self, fetched_at: datetime, *, edited_at: datetime | None = None) -> Json:
        share = seen_after((fetched_at - self.at).total_seconds() / 3600)
        score = 1 + int((self.score - 1) * share)
        permalink = f"/r/{self.subreddit}/comments/{self.suffix}/{_slug(self.title)}/"
        created = float(int(self.at.timestamp()))
        return {
            "kind": "t3",
            "data": {
                "id": self.suffix,
                "name": f"t3_{self.suffix}",
                "subreddit": self.subreddit,
                "subreddit_name_prefixed": f"r/{self.subreddit}",
                "subreddit_type": "public",
                "title": self.title,
                "selftext": self.selftext,
                "author": self.author.username,
                "author_fullname": f"t2_{self.author.account_id}",
                "created": created,
                "created_utc": created,
                "score": score,
                "ups": score,
                "downs": 0,
                "upvote_ratio": round(min(1.0, 0.62 + 0.38 * score / (score + 6)), 2),
                "num_comments": int(self.comments * share),
                "num_crossposts": 0,
                "permalink": permalink,
                "url": f"https://www.reddit.com{permalink}",
                "domain": f"self.{self.subreddit}",
                "is_self": True,
                "is_video": False,
                "over_18": False,
                "spoiler": False,
                "stickied": False,
                "locked": False,
                "archived": False,
                "edited": float(int(edited_at.timestamp())) if edited_at else False,
                "distinguished": None,
                "link_flair_text": None,
                "removed_by_category": None,
            },
        }

    def removed(self, fetched_at: datetime) -> Json:
        """What is left after a moderator took it down."""
        payload = self.payload(fetched_at)
        payload["data"].update(
            selftext="[removed]",
            removed_by_category="moderator",
            author="[deleted]",
        )
        del payload["data"]["author_fullname"]
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
    """What is fetched at the end of the day, and what of this day is fetched a day later."""
    fetched_at, next_fetch = clock.fetched_at(day), clock.fetched_at(day + 1)
    now: list[Record] = []
    later: list[Record] = []
    number = _FIRST_NUMBER + day * _NUMBERS_A_DAY
    for index, world in enumerate(worlds):
        luck = dice(seed, "reddit posts", world.product_id, day)
        writer = Writer(luck)
        for _ in range(world.posts[day] - posts_on_x(seed, world, day)):
            number += 1
            at = clock.at(day, time_of_day(luck, "reddit"))
            author = audience.author(luck, 307 * index)
            submission = _Submission(luck, base36(number), at, author)
            _write(submission, writer, world, voices, index, names, day)
            record_id = f"t3_{submission.suffix}"
            now.append(Record(SUBMISSIONS, record_id, submission.payload(fetched_at), fetched_at))
            roll = luck.uniform()
            if roll < 0.25:
                payload = submission.payload(next_fetch)
            elif roll < 0.265:
                submission.selftext += "\n\nEdit: typo"
                payload = submission.payload(next_fetch, edited_at=clock.at(day + 1, 0.4))
            elif roll < 0.27:
                payload = submission.removed(next_fetch)
            else:
                continue
            later.append(Record(SUBMISSIONS, record_id, payload, next_fetch))
    return now, later


def _write(
    submission: _Submission,
    writer: Writer,
    world: World,
    voices: Sequence[Voice],
    index: int,
    names: Sequence[str],
    day: int,
) -> None:
    luck, voice = writer.dice, voices[index]
    general = luck.pick(_COMMUNITIES)
    submission.subreddit = _community(world.product.category) if luck.chance(0.6) else general
    if voice.exclusions and luck.chance(0.02):
        submission.title = writer.off_topic(luck.pick(voice.exclusions), voice)
        return
    polarity = draw_polarity(luck, world, day, -0.15)
    mention = writer.plain_mention(voice)
    language = writer.language()
    if language != "en":
        submission.title = writer.foreign(language, polarity, mention)
        submission.selftext = writer.foreign(language, polarity, mention)
        return
    submission.title = writer.title(polarity, voice, mention)
    if luck.chance(0.12):  # a title is all
        return
    text = writer.long_opinion(polarity, voice, mention, 1 + luck.below(4))
    if len(names) > 1 and luck.chance(0.05):
        other = names[(index + 1 + luck.below(len(names) - 1)) % len(names)]
        text = f"{writer.opinion(polarity, voice, mention, other)} {text}"
    if luck.chance(0.2):
        thanks = "Thanks for reading." if polarity == POSITIVE else "TL;DR: see the title."
        text = f"{text}\n\n{thanks}"
    submission.selftext = writer.roughen(text, [mention, *names])
