"""Jetstream: every public event of Bluesky as JSON over a WebSocket, here only what concerns the
catalogue.

The position is the largest `time_us` read. Each connection begins an overlap before it, because
events are told at least once, not quite in order, and by several hosts whose clocks differ; what
was kept within the overlap is remembered and dropped when it comes again. A delete, an update and
what becomes of an account are kept only where the post or its author was.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from extract._http import Http, LimitedError
from extract._kept import Kept
from extract._live import LATEST_MARGIN_SECONDS
from extract._mentions import Mentions
from extract._outcomes import FixError, RetryError
from extract._state import CursorError, Progress, Walk
from extract._websocket import WebSocket, connect
from extract.base import Context, Json, Page, Record, Reject

POSTS, DELETIONS, ACCOUNTS = "bluesky/posts", "bluesky/deletions", "bluesky/accounts"
COLLECTION = "app.bsky.feed.post"
WALK = "jetstream"
MESSAGE_BYTES = 1024 * 1024
"""The server leaves out larger events, where it knows how to; no post comes near."""
PAGE_BYTES = 8 * 1024 * 1024
REJECT_BYTES = 20_000
RECENT_LIMIT = 3_000
"""Kept events that are remembered, for the overlap; with more of them the overlap is shorter."""
TICK_SECONDS = 0.05
"""When nothing has come for so long, everything that waited has been read."""
FLUSH_SECONDS = 2.0
CATCH_UP_SECONDS = 7_200.0
_PACE_WINDOW_SECONDS = 10.0
_PACE_WINDOWS = 3
_QUIET_CONNECTIONS = 2
_SECOND = 1_000_000
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,2000}")
_RKEY = re.compile(r"[A-Za-z0-9._~:-]{1,512}")


class StreamSettings(Protocol):
    """What is read of the source's settings."""

    @property
    def jetstream_urls(self) -> tuple[str, ...]: ...
    @property
    def overlap_seconds(self) -> int: ...
    @property
    def first_hours(self) -> float: ...
    @property
    def retention_hours(self) -> float: ...
    @property
    def idle_seconds(self) -> float: ...
    @property
    def page_size(self) -> int: ...
    @property
    def max_pages(self) -> int: ...


class StallError(RetryError):
    """The connection stands and nothing comes."""


def uri_of(did: str, rkey: str) -> str:
    """The id of a post: its at-uri, which search gives too."""
    return f"at://{did}/{COLLECTION}/{rkey}"


def remember(kept: Kept, record_id: str) -> None:
    """Note that a post is kept, and its author with it."""
    kept.add(record_id)
    did = record_id.removeprefix("at://").partition("/")[0]
    kept.add(did)


def hidden(did: str) -> str:
    """The key of an account that was said to be inactive."""
    return f"hidden {did}"


class Recent:
    """Kept events of the overlap, by what makes them the same event on every host."""

    def __init__(self, state: Json) -> None:
        try:
            self._times = {str(key): int(value) for key, value in state.get("recent", {}).items()}
            self.floor = int(state.get("floor", 0))
        except (TypeError, ValueError, AttributeError) as error:
            raise CursorError(
                "bluesky: the saved cursor cannot be used.",
                "Delete the newest records of this source below landing/_commits of the target.",
            ) from error

    def is_new(self, identity: str, time_us: int) -> bool:
        """Whether an event is met for the first time; remembers it."""
        key = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=6).hexdigest()
        if key in self._times:
            return False
        self._times[key] = time_us
        if len(self._times) > 2 * RECENT_LIMIT:
            self._shorten()
        return True

    def prune(self, before_us: int) -> None:
        """Forget what will not be asked for again."""
        self._times = {key: time for key, time in self._times.items() if time >= before_us}
        if len(self._times) > RECENT_LIMIT:
            self._shorten()

    def _shorten(self) -> None:
        ordered = sorted(self._times.items(), key=lambda entry: entry[1])
        dropped, kept = ordered[:-RECENT_LIMIT], ordered[-RECENT_LIMIT:]
        self.floor = max(self.floor, dropped[-1][1])
        self._times = dict(kept)

    def state(self) -> Json:
        return {"recent": dict(self._times), "floor": self.floor}


@dataclass(slots=True)
class Stream:
    """One pull of the stream; `pull` yields its pages."""

    http: Http
    settings: StreamSettings
    context: Context
    progress: Progress
    mentions: Mentions
    kept: Kept
    duration: timedelta | None = None
    events: int = 0
    kept_events: int = 0
    connections: int = 0
    walk: Walk = field(init=False)
    _recent: Recent = field(init=False)
    _records: list[Record] = field(default_factory=list)
    _rejects: list[Reject] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _position: int = 0
    _unsaved: int = 0
    _held: int = 0
    _is_over: bool = False
    _host: int = 0
    _began: float = 0.0
    _flushed: float = 0.0
    _target: int = 0
    _fetched_at: datetime = field(init=False)
    _latest: int = 0
    _asked: int | None = None
    _unknown: dict[str, int] = field(default_factory=dict)
    _pace: tuple[float, int, int, int] = (0.0, 0, 0, 0)

    def __post_init__(self) -> None:
        self.walk = self.progress.walk(WALK)
        self._recent = Recent(self.progress.extra)
        self._position = self.walk.done or 0
        clock = self.context.clock
        self._began = self._flushed = clock.monotonic()
        self._fetched_at = clock.now()
        self._target = _microseconds(clock.now())
        self._pace = (self._began, self._position, 0, 0)

    def pull(self) -> Iterator[Page]:
        """Read until the stream has been caught up with, or for as long as was asked.

        Raises:
            ExtractError: one of the outcomes; what came before it has been yielded.
        """
        tries = self.http.tries()
        refused: list[FixError] = []
        quiet = 0
        self._note_gap()
        while not self._is_over:
            position, events = self._position, self.events
            failure: RetryError | LimitedError | FixError
            try:
                url = self.settings.jetstream_urls[self._host % len(self.settings.jetstream_urls)]
                with connect(self.http, f"{url}/subscribe", self._params()) as socket:
                    self.connections += 1
                    yield from self._read(socket)
                continue
            except (RetryError, LimitedError, FixError) as error:
                failure = error
            yield from self._flush()
            has_moved = self._position > position
            if has_moved:
                tries.succeeded()
                refused, quiet = [], 0
            else:
                self._host += 1
            if isinstance(failure, FixError):
                refused.append(failure)
                if failure.is_credential or len(refused) >= len(self.settings.jetstream_urls):
                    raise refused[0]
                continue
            if isinstance(failure, StallError) and self.events > events and not has_moved:
                quiet += 1
                if self.duration is not None:
                    tries.succeeded()
                elif quiet >= _QUIET_CONNECTIONS:
                    self._notes.append(
                        f"bluesky: nothing new has come since {_told(self._position)}; the "
                        "stream is quiet."
                    )
                    break
            if self._is_overdue(self.context.clock.monotonic()):
                break
            tries.endure(failure)
        yield from self._flush(is_last=True)

    def _params(self) -> list[tuple[str, str | int]]:
        self._asked = cursor = self._begin()
        params: list[tuple[str, str | int]] = [
            ("wantedCollections", COLLECTION),
            ("maxMessageSizeBytes", MESSAGE_BYTES),
        ]
        if cursor is not None:
            params.append(("cursor", cursor))
        return params

    def _begin(self) -> int | None:
        """Where a connection begins; None for the newest event."""
        if not self._position:
            if not self.settings.first_hours:
                return None
            return self._target - int(self.settings.first_hours * 3600) * _SECOND
        wanted = self._position - self.settings.overlap_seconds * _SECOND
        return max(wanted, min(self._recent.floor + 1, self._position))

    def _note_gap(self) -> None:
        if not self._position:
            return
        reach = self._target - int(self.settings.retention_hours * 3600) * _SECOND
        if self._position < reach:
            self._notes.append(
                f"bluesky: the stream was read up to {_told(self._position)} and reaches back to "
                f"{_told(reach)}; posts and deletions between are lost, unless the server keeps "
                "more. With a login, extract --since brings the posts."
            )

    def _read(self, socket: WebSocket) -> Iterator[Page]:
        """The pages of one connection; returns when the pull is over.

        Raises:
            RetryError: the connection ended or stalled.
        """
        clock = self.context.clock
        last, silent = clock.monotonic(), 0.0
        while True:
            messages = socket.receive(TICK_SECONDS)
            now = clock.monotonic()
            if messages:
                last, silent = now, 0.0
                self._measure()
                for is_text, content in messages:
                    self._take(is_text, content)
            else:
                silent += TICK_SECONDS
                # An interrupted run ends here too, not only at the next page.
                clock.sleep(0.0)
            if self._is_page(now):
                yield from self._flush()
            if self._is_done(now, is_idle=not messages):
                self._is_over = True
                return
            if max(silent, now - last) >= self.settings.idle_seconds:
                raise StallError(
                    f"bluesky: the stream stalls: nothing has come for "
                    f"{self.settings.idle_seconds:g} s.",
                    "Run again later; if it stays, name another host in "
                    "sources.bluesky.jetstream_urls.",
                )

    def _is_page(self, now: float) -> bool:
        if self._unsaved >= self.settings.page_size or self._held >= PAGE_BYTES:
            return True
        return bool(self._unsaved) and now - self._flushed >= FLUSH_SECONDS

    def _measure(self) -> None:
        """Look at the clock once for all that is read together."""
        self._fetched_at = self.context.clock.now()
        self._latest = _microseconds(self._fetched_at) + LATEST_MARGIN_SECONDS * _SECOND

    def _is_done(self, now: float, *, is_idle: bool) -> bool:
        settings = self.settings
        if self.events >= settings.max_pages * settings.page_size:
            self._notes.append(
                f"bluesky: {settings.max_pages:,} pages read; the next run goes on from there."
            )
            return True
        took = now - self._began
        if self.duration is not None:
            return self._is_overdue(now)
        # Not before something has come: our clock may be behind.
        if is_idle and self.events and self._position >= self._target:
            return True
        if took >= CATCH_UP_SECONDS:
            self._notes.append(
                f"bluesky: not caught up after {CATCH_UP_SECONDS / 3600:g} hours; the next run "
                f"goes on from {_told(self._position)}."
            )
            return True
        return self._is_at_the_edge(now)

    def _is_overdue(self, now: float) -> bool:
        """Whether the time that was asked for is over."""
        return self.duration is not None and now - self._began >= self.duration.total_seconds()

    def _is_at_the_edge(self, now: float) -> bool:
        """Whether events come no faster than they are made: then there is nothing to catch up with,
        whatever our clock says."""
        since, position, events, slow = self._pace
        if now - since < _PACE_WINDOW_SECONDS:
            return False
        gained = (self._position - position) / _SECOND / (now - since)
        slow = slow + 1 if position and self.events > events and gained < 1.5 else 0
        self._pace = (now, self._position, self.events, slow)
        if slow < _PACE_WINDOWS or not self._position:
            return False
        behind = (self._target - self._position) // _SECOND
        if abs(behind) > 60:
            self._notes.append(
                f"bluesky: events come as fast as they are made, {abs(behind):,} s "
                f"{'behind' if behind > 0 else 'ahead of'} this machine's clock: that, or the "
                "line, is slow."
            )
        return True

    def _flush(self, *, is_last: bool = False) -> Iterator[Page]:
        """A page of what has been gathered. Deletions are told of what is in it as soon as it has
        landed, so the memory goes first."""
        self._flushed = self.context.clock.monotonic()
        if is_last and self._unknown:
            told = ", ".join(f"{count:,} of kind {kind}" for kind, count in self._unknown.items())
            self._notes.append(f"bluesky: events of unknown kinds were passed over: {told}.")
        if not (self._unsaved or self._records or self._rejects or self._notes):
            return
        self.kept.save()
        overlap = 2 * self.settings.overlap_seconds * _SECOND
        self._recent.prune(self._position - overlap)
        self.walk.done = self._position or None
        self.progress.extra |= self._recent.state()
        page = Page(self._records, self.progress.cursor(), self._rejects, self._notes)
        self._records, self._rejects, self._notes = [], [], []
        self._unsaved = self._held = 0
        yield page

    def _take(self, is_text: bool, content: bytes) -> None:
        """Make sense of one message."""
        self.events += 1
        self._unsaved += 1
        if not is_text:
            self._reject(content, "the message is binary")
            return
        try:
            event = json.loads(self.http.redact_bytes(content))
        except (ValueError, RecursionError):
            self._reject(content, "the message is no JSON")
            return
        records = len(self._records)
        problem = self._sort(event)
        if len(self._records) > records:
            self._held += len(content)
        if problem:
            self._reject(content, problem)

    def _sort(self, event: Any) -> str:  # noqa: ANN401 - as received
        """Keep an event or let it pass; returns what is wrong with it."""
        if not isinstance(event, dict):
            return "the message is no object"
        time_us, did, kind = event.get("time_us"), event.get("did"), event.get("kind")
        if not isinstance(time_us, int) or isinstance(time_us, bool) or time_us <= 0:
            return "time_us is no positive whole number"
        if self._asked is not None and time_us < self._asked:
            # What is older than asked for has been read: a cache, or a server without cursors.
            return ""
        problem = ""
        if not isinstance(did, str) or not _DID.fullmatch(did):
            problem = "did is none"
        elif kind == "commit":
            problem = self._commit(event, did, time_us)
        elif kind == "account":
            problem = self._account(event, did, time_us)
        elif kind != "identity":
            name = repr(kind)[:40]
            if name in self._unknown or len(self._unknown) < 10:
                self._unknown[name] = self._unknown.get(name, 0) + 1
        if self._position < time_us <= self._latest:
            self._position = time_us
        return problem

    def _commit(self, event: Json, did: str, time_us: int) -> str:
        commit = event.get("commit")
        if not isinstance(commit, dict):
            return "commit is no object"
        if commit.get("collection") != COLLECTION:
            return ""
        operation, rkey = commit.get("operation"), commit.get("rkey")
        if not isinstance(rkey, str) or not _RKEY.fullmatch(rkey):
            return "commit.rkey is none"
        uri = uri_of(did, rkey)
        if operation == "delete":
            if uri in self.kept or not self.kept.is_complete:
                self._keep(DELETIONS, uri, event, operation, commit.get("rev"), time_us)
            return ""
        if operation not in ("create", "update"):
            return f"commit.operation is {str(operation)[:40]!r}"
        record = commit.get("record")
        text = record.get("text") if isinstance(record, dict) else None
        if not isinstance(record, dict) or not isinstance(text, str):
            return "commit.record has no text"
        # What was kept and is changed must not stay as it was.
        is_update = operation == "update" and (uri in self.kept or not self.kept.is_complete)
        if is_update or self.mentions.match_parts(text, tags_of(record)):
            identity = f"{commit.get('rev')}|{commit.get('cid')}"
            if self._keep(POSTS, uri, event, operation, identity, time_us):
                remember(self.kept, uri)
        return ""

    def _account(self, event: Json, did: str, time_us: int) -> str:
        account = event.get("account")
        if not isinstance(account, dict) or not isinstance(account.get("active"), bool):
            return "account.active is neither true nor false"
        known = hidden(did) if account["active"] else did
        if known in self.kept or not self.kept.is_complete:
            identity = f"{account.get('time')}|{account.get('active')}|{account.get('status')}"
            if self._keep(ACCOUNTS, did, event, "account", identity, time_us):
                self.kept.add(hidden(did))
        return ""

    def _keep(
        self,
        stream: str,
        record_id: str,
        event: Json,
        operation: str,
        version: object,
        time_us: int,
    ) -> bool:
        """Land an event, unless it has come before."""
        identity = f"{stream}|{record_id}|{operation}|{version}"
        if not self._recent.is_new(identity, min(time_us, self._latest)):
            return False
        self._records.append(Record(stream, record_id, event, self._fetched_at))
        self.kept_events += 1
        return True

    def _reject(self, content: bytes, reason: str) -> None:
        text = self.http.redact_bytes(content)[:REJECT_BYTES].decode("utf-8", "replace")
        self._held += len(text)
        if self._recent.is_new(f"reject|{reason}|{text}", self._position):
            self._rejects.append(Reject(POSTS, text, reason, "jetstream"))


def tags_of(record: Json) -> list[str]:
    """Hashtags of a post that its text need not show: of the record and of its facets."""
    found = [tag for tag in _listed(record.get("tags")) if isinstance(tag, str)]
    for facet in _listed(record.get("facets")):
        for feature in _listed(facet.get("features") if isinstance(facet, dict) else None):
            tag = feature.get("tag") if isinstance(feature, dict) else None
            if isinstance(tag, str):
                found.append(tag)
    return found


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000) * 1000


def _told(time_us: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_us / _SECOND, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
