"""Every request of every live source goes through here.

One place for what is easy to forget in a client library: timeouts and a total time, size limits
before and after decompression, redirects that stay outside private networks, a budget that is
charged before the request, pacing, waiting for resets, retries with jitter, and redaction. Client
libraries built on `requests` are plugged in by `extract._bridge`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import BinaryIO, Protocol
from urllib.parse import urlencode, urljoin

import httpcore

from extract._addresses import PublicBackend, origin_of
from extract._budget import Ledger
from extract._clock import Clock
from extract._outcomes import (
    Answer,
    FixError,
    Parse,
    RetryError,
    StopError,
    WaitError,
    check_status,
    is_exhausted,
    parse_json,
    reset_seconds,
)
from extract._patience import Patience

USER_AGENT = "social-signals/0.1 (local research warehouse; one polite client)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRAVELLING_HEADERS = frozenset(
    {"accept", "accept-language", "content-type", "if-modified-since", "if-none-match"}
)
"""What goes along to another origin: keys have headers of many names."""


class Pace(Protocol):
    """A limit that the platform counts by itself, such as a bucket of points."""

    def wait_s(self) -> float:
        """Seconds until the next attempt may be sent."""
        ...

    def leaves(self) -> None:
        """An attempt is being sent."""
        ...

    def told_s(self, answer: Answer) -> float | None:
        """How long a refusal asks to wait; None if it does not tell."""
        ...


class Http:
    """The transport of one source: a connection pool, its pace, its budget, its secrets.

    `allowed` are URLs from the settings whose origins may be private; redirects elsewhere must be
    public. Not for use by several threads at once.
    """

    def __init__(
        self,
        *,
        source: str,
        allowed: Iterable[str],
        clock: Clock,
        ledger: Ledger | None = None,
        pace_s: float = 0.0,
        patience: Patience | None = None,
        secrets: Sequence[str] = (),
        credentials: tuple[str, ...] = (),
        user_agent: str = USER_AGENT,
    ) -> None:
        """Prepare the pool; nothing is connected.

        Raises:
            FixError: an allowed URL is none.
        """
        self.source = source
        self.clock = clock
        self.ledger = ledger
        self.patience = patience or Patience()
        self.requests = 0
        self._pace_s = pace_s
        self._secrets = [secret.encode() for secret in secrets if len(secret) >= 6]
        self._credentials = credentials
        self.user_agent = user_agent
        self._not_before = clock.monotonic()
        origins = {origin_of(url)[1:] for url in allowed}
        self.backend = PublicBackend(origins)
        self._pool = httpcore.ConnectionPool(
            network_backend=self.backend, max_connections=4, retries=0
        )

    def __enter__(self) -> Http:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.close()

    def get(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        units: Mapping[str, int] | None = None,
        parse: Parse = parse_json,
    ) -> Answer:
        """GET with everything that `send` does."""
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"
        return self.send("GET", url, headers=headers, units=units, parse=parse)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        units: Mapping[str, int] | None = None,
        parse: Parse = parse_json,
        pace: Pace | None = None,
    ) -> Answer:
        """Send a request until it succeeds or its outcome is final; a 304 is a success.

        Waits and retries count as requests of the budget like any other, and each is held back
        for as long as `pace` says. `parse` may raise any outcome of its own.

        Raises:
            WaitError, StopError, FixError, RetryError: as told in `extract._outcomes`.
            LedgerError: the budget cannot be written down.
        """
        tries = self.tries()
        while True:
            try:
                return self._follow(method, url, dict(headers or {}), body, units, parse, pace)
            except (RetryError, LimitedError) as error:
                tries.endure(error)

    def download(self, url: str, into: BinaryIO, *, most_bytes: int, total_s: float) -> Answer:
        """GET a file that does not fit into memory; nothing but its address is sent, and redirects
        are not followed. What was written before a failure is written over.

        Raises:
            WaitError, StopError, FixError, RetryError: as for `send`.
            LedgerError: the budget cannot be written down.
        """
        tries = self.tries()
        while True:
            into.seek(0)
            into.truncate()
            try:
                return self._download(url, _Sink(into, most_bytes, total_s))
            except (RetryError, LimitedError) as error:
                tries.endure(error)

    def _download(self, url: str, sink: _Sink) -> Answer:
        origin_of(url)
        self.charge()
        status, received, content = self._exchange("GET", url, {}, None, sink)
        answer = Answer(status, received, content, url, self.clock.now())
        self.judge(answer)
        if status != 200:
            raise FixError(
                f"{self.source}: {_short(url)} answers with status {status} instead of a file.",
                "Run again; if it stays, a proxy stands in between.",
                status=status,
            )
        return answer

    def tries(self) -> Tries:
        """The patience with one request, or with one connection and those that replace it."""
        return Tries(self.source, self.clock, self.patience)

    def settle(self, answer: Answer, units: Mapping[str, int] | None = None) -> None:
        """Tell the ledger what an answer was billed."""
        if self.ledger is not None and answer.reservation:
            self.ledger.settle(answer.reservation, units)

    def redact(self, text: str) -> str:
        """Replace this source's secrets in a text."""
        for secret in self._secrets:
            text = text.replace(secret.decode(), "***")
        return text

    def keep_secret(self, secret: str) -> None:
        """Redact this text too: a token that was given during the run."""
        if len(secret) >= 6:
            self._secrets.append(secret.encode())

    def redact_bytes(self, content: bytes) -> bytes:
        """Replace this source's secrets in what was received."""
        for secret in self._secrets:
            if secret in content:
                content = content.replace(secret, b"***")
        return content

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        units: Mapping[str, int] | None,
        parse: Parse,
        pace: Pace | None,
    ) -> Answer:
        """One attempt, redirects included."""
        hops: list[str] = []
        while True:
            answer = self._once(method, url, headers, body, units, parse, pace)
            if answer.status not in REDIRECTS:
                return replace(answer, hops=tuple(hops))
            self.settle(answer)
            target = urljoin(url, answer.headers.get("location", ""))
            hops.append(target)
            if len(hops) > self.patience.redirects:
                raise FixError(
                    f"{self.source}: {_short(hops[0])} redirects in circles.",
                    "Put the final address into the settings.",
                )
            before, after = origin_of(url), origin_of(target)
            if before[0] == "https" and after[0] == "http":
                raise FixError(
                    f"{self.source}: {_short(url)} redirects to an unencrypted address, which is "
                    "refused.",
                    "Put the final address into the settings if you trust it.",
                )
            if before != after:
                headers = {k: v for k, v in headers.items() if k.lower() in _TRAVELLING_HEADERS}
            if answer.status == 303 or (method == "POST" and answer.status in (301, 302)):
                method, body = "GET", None
            if before != after and body is not None:
                raise FixError(
                    f"{self.source}: {_short(url)} sends what was posted on to another host, which "
                    "is refused.",
                    "Put the final address into the settings if you trust it.",
                )
            url = target

    def _once(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        units: Mapping[str, int] | None,
        parse: Parse,
        pace: Pace | None,
    ) -> Answer:
        """Charge, pace, send one request, and judge its answer."""
        origin_of(url)
        reservation = self.charge(units, pace)
        try:
            status, received, content = self._exchange(method, url, headers, body)
        except RetryError as error:
            if self.ledger is not None and not error.was_sent:
                # Nobody was reached, so nobody bills its contents; an answer that never came may.
                self.ledger.settle(reservation)
            raise
        answer = Answer(status, received, content, url, self.clock.now(), reservation=reservation)
        self.judge(answer, pace)
        if status == 304 or status in REDIRECTS:
            return answer
        try:
            return replace(answer, content=parse(answer))
        except WaitError as error:
            # Some platforms refuse with status 200.
            raise self._limited(answer, error, pace) from error

    def charge(self, units: Mapping[str, int] | None = None, pace: Pace | None = None) -> str:
        """Set a request aside in the ledger, then wait for its turn; returns the reservation.

        Raises:
            StopError: it would pass the budget.
            WaitError: its turn comes too late for this run.
            LedgerError: the budget cannot be written down.
        """
        self._check_pace(pace)
        reservation = self.ledger.reserve(units) if self.ledger else ""
        self._keep_pace(pace)
        self.requests += 1
        return reservation

    def judge(self, answer: Answer, pace: Pace | None = None) -> None:
        """Return for success, 304 and a redirect; raise what another status means.

        Raises:
            LimitedError: a rate limit, with what the server says of its end.
            StopError, FixError, RetryError: as told in `extract._outcomes`.
        """
        if is_exhausted(answer.headers):
            seconds = reset_seconds(answer.headers, self.clock.now())
            if seconds is not None and 0 < seconds <= self.patience.wait_s:
                self._not_before = max(self._not_before, self.clock.monotonic() + seconds)
        if answer.status in REDIRECTS:
            return
        try:
            check_status(answer, source=self.source, credentials=self._credentials)
        except WaitError as error:
            raise self._limited(answer, error, pace) from error
        except (FixError, RetryError, StopError) as error:
            # An error is an answer, and no platform bills its contents.
            self.settle(answer)
            if isinstance(error, RetryError):
                error.after_s = reset_seconds(answer.headers, self.clock.now()) or 0.0
            raise

    def _limited(self, answer: Answer, error: WaitError, pace: Pace | None) -> LimitedError:
        """A refused answer bills nothing; the body may tell how long what the headers do not."""
        self.settle(answer)
        seconds = error.after_s
        if seconds is None:
            seconds = reset_seconds(answer.headers, self.clock.now())
        if seconds is None and pace is not None:
            seconds = pace.told_s(answer)
        return LimitedError(self.redact(error.message), seconds)

    def _check_pace(self, pace: Pace | None) -> None:
        held_s = 0.0 if pace is None else pace.wait_s()
        if held_s > self.patience.wait_s:
            raise WaitError(
                f"{self.source}: the platform's bucket holds enough for the next request in "
                f"{held_s:,.0f} s, which is more than the {self.patience.wait_s:,.0f} s that a "
                "request may wait.",
                f"Run again then, or raise sources.{self.source}.max_wait_s.",
            )

    def _keep_pace(self, pace: Pace | None) -> None:
        wait = self._not_before - self.clock.monotonic()
        if pace is not None:
            wait = max(wait, pace.wait_s())
        if wait > 0:
            self.clock.sleep(wait)
        if pace is not None:
            pace.leaves()
        self._not_before = self.clock.monotonic() + self._pace_s

    def _exchange(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        sink: _Sink | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send and read within the limits: status, headers with lower-case names, body. The body
        of a success goes into the `sink` where there is one."""
        patience = self.patience
        given = {name.lower(): value for name, value in headers.items()}
        sent = {"user-agent": self.user_agent, **given, "accept-encoding": "gzip"}
        timeout = {
            "connect": patience.connect_s,
            "read": patience.read_s,
            "write": patience.read_s,
            "pool": patience.connect_s,
        }
        total_s = sink.total_s if sink else patience.total_s
        deadline = self.clock.monotonic() + total_s
        try:
            with self._pool.stream(
                method,
                url,
                headers=list(sent.items()),
                content=body,
                extensions={"timeout": timeout},
            ) as response:
                received = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                taken = sink if response.status == 200 else None
                content = self._read(response, received, deadline, url, taken)
                return response.status, received, content
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            failure = RetryError(
                f"{self.source}: no answer from {_short(url)} ({type(error).__name__}: {error}).",
                f"Check the connection and sources.{self.source}.base_url, and run again.",
            )
            failure.was_sent = not isinstance(
                error, httpcore.ConnectError | httpcore.ConnectTimeout | httpcore.PoolTimeout
            )
            raise failure from error
        except (httpcore.ProtocolError, zlib.error) as error:
            raise RetryError(
                f"{self.source}: the answer of {_short(url)} broke off or cannot be read "
                f"({type(error).__name__}: {error})."
            ) from error
        except (httpcore.UnsupportedProtocol, UnicodeError, ValueError) as error:
            raise FixError(
                f"{self.source}: {_short(url)} cannot be asked for ({error}).", "Correct it."
            ) from error

    def _read(
        self,
        response: httpcore.Response,
        headers: Mapping[str, str],
        deadline: float,
        url: str,
        sink: _Sink | None,
    ) -> bytes:
        limit = sink.most_bytes if sink else self.patience.body_bytes
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise self._too_large(url, int(declared), limit)
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise RetryError(f"{self.source}: {_short(url)} answers in encoding {encoding!r}.")
        unpack = zlib.decompressobj(31) if "gzip" in encoding else None
        body = bytearray()
        raw = written = 0
        for chunk in response.iter_stream():
            raw += len(chunk)
            room = limit + 1 - written - len(body)
            body += unpack.decompress(chunk, room) if unpack else chunk
            if max(written + len(body), raw) > limit:
                raise self._too_large(url, max(written + len(body), raw), limit)
            if self.clock.monotonic() > deadline:
                raise RetryError(f"{self.source}: {_short(url)} took longer than it may.")
            if sink is not None:
                written += sink.into.write(body)
                body.clear()
        if unpack is not None and raw and not unpack.eof:
            raise RetryError(f"{self.source}: the answer of {_short(url)} is a torn gzip stream.")
        return self.redact_bytes(bytes(body))

    def _too_large(self, url: str, size: int, limit: int) -> FixError:
        return FixError(
            f"{self.source}: the answer of {_short(url)} is refused: it has more than "
            f"{limit:,} bytes ({size:,} or more).",
            "Check the address; no source of this project sends so much at once.",
        )


@dataclass(frozen=True, slots=True)
class _Sink:
    """Where a download goes, and what it may take."""

    into: BinaryIO
    most_bytes: int
    total_s: float


class LimitedError(WaitError):
    """A rate limit that may still be waited for; `seconds` until its reset, None if not told."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


class Tries:
    """How much patience is left: `endure` waits after a failure, or says that it was the last."""

    def __init__(self, source: str, clock: Clock, patience: Patience) -> None:
        self._source = source
        self._clock = clock
        self._patience = patience
        self._attempts = 0
        self._waited = 0.0

    def succeeded(self) -> None:
        """Something came: what follows is a new trouble."""
        self._attempts, self._waited = 0, 0.0

    def endure(self, error: RetryError | LimitedError) -> None:
        """Sleep until the next attempt.

        Raises:
            RetryError, WaitError: there is none: attempts or waiting time are used up.
        """
        if isinstance(error, LimitedError):
            self._wait(error)
        else:
            self._back_off(error)

    def _back_off(self, error: RetryError) -> None:
        self._attempts += 1
        patience = self._patience
        if self._attempts >= patience.attempts:
            raise RetryError(
                f"{error.message} Given up after {self._attempts} attempts.",
                error.remedy or "Run again later: it goes on from what has landed.",
            ) from error
        step = min(patience.longest_backoff_s, patience.backoff_s * 2.0 ** (self._attempts - 1))
        asked = min(error.after_s, patience.longest_backoff_s)
        self._clock.sleep(max(step * (0.5 + self._clock.jitter() / 2), asked))

    def _wait(self, error: LimitedError) -> None:
        delay = error.seconds
        if delay is None or delay <= 0:
            # Told nothing, or a reset that has passed: growing steps, so as not to spin.
            delay = min(self._patience.blind_wait_s + self._waited, 300.0)
        delay = max(1.0, delay + 1.0) + self._clock.jitter()
        if delay > self._patience.wait_s - self._waited:
            raise WaitError(
                f"{error.message} It is lifted in about {delay:,.0f} s, which is more than "
                f"the {self._patience.wait_s:,.0f} s that a request may wait.",
                f"Run again then, or raise sources.{self._source}.max_wait_s.",
            ) from error
        self._waited += delay
        self._clock.sleep(delay)


def _short(url: str) -> str:
    """A URL without its query, which may be long and private."""
    return url.partition("?")[0][:200]
