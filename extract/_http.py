"""Every request of every live source goes through here.

One place for what is easy to forget in a client library: timeouts and a total time, size limits
before and after decompression, redirects that stay outside private networks, a budget that is
charged before the request, pacing, waiting for resets, retries with jitter, and redaction. Client
libraries built on `requests` are plugged in by `extract._bridge`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol
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
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


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
        self._pool = httpcore.ConnectionPool(
            network_backend=PublicBackend(origins), max_connections=4, retries=0
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
        attempts, waited = 0, 0.0
        while True:
            try:
                return self._follow(method, url, dict(headers or {}), body, units, parse, pace)
            except RetryError as error:
                attempts += 1
                if attempts >= self.patience.attempts:
                    raise RetryError(
                        f"{error.message} Given up after {attempts} attempts.",
                        error.remedy or "Run again later: it goes on from what has landed.",
                    ) from error
                asked = min(error.after_s, self.patience.longest_backoff_s)
                self.clock.sleep(max(self._backoff(attempts), asked))
            except _LimitedError as error:
                left = self.patience.wait_s - waited
                delay = error.seconds
                if delay is None or delay <= 0:
                    # Told nothing, or a reset that has passed: growing steps, so as not to spin.
                    delay = min(self.patience.blind_wait_s + waited, 300.0)
                delay = max(1.0, delay + 1.0) + self.clock.jitter()
                if delay > left:
                    raise WaitError(
                        f"{error.message} It is lifted in about {delay:,.0f} s, which is more than "
                        f"the {self.patience.wait_s:,.0f} s that a request may wait.",
                        f"Run again then, or raise sources.{self.source}.max_wait_s.",
                    ) from error
                waited += delay
                self.clock.sleep(delay)

    def settle(self, answer: Answer, units: Mapping[str, int] | None = None) -> None:
        """Tell the ledger what an answer was billed."""
        if self.ledger is not None and answer.reservation:
            self.ledger.settle(answer.reservation, units)

    def redact(self, text: str) -> str:
        """Replace this source's secrets in a text."""
        for secret in self._secrets:
            text = text.replace(secret.decode(), "***")
        return text

    def _backoff(self, attempt: int) -> float:
        step = min(self.patience.longest_backoff_s, self.patience.backoff_s * 2.0 ** (attempt - 1))
        return step * (0.5 + self.clock.jitter() / 2)

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
                headers = {k: v for k, v in headers.items() if k.lower() not in _PRIVATE_HEADERS}
            if answer.status == 303 or (method == "POST" and answer.status in (301, 302)):
                method, body = "GET", None
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
        self._check_pace(pace)
        reservation = self.ledger.reserve(units) if self.ledger else ""
        self._keep_pace(pace)
        self.requests += 1
        try:
            status, received, content = self._exchange(method, url, headers, body)
        except RetryError as error:
            if self.ledger is not None and not error.was_sent:
                # Nobody was reached, so nobody bills its contents; an answer that never came may.
                self.ledger.settle(reservation)
            raise
        answer = Answer(status, received, content, url, self.clock.now(), reservation=reservation)
        if is_exhausted(received):
            seconds = reset_seconds(received, self.clock.now())
            if seconds is not None and 0 < seconds <= self.patience.wait_s:
                self._not_before = max(self._not_before, self.clock.monotonic() + seconds)
        if status in REDIRECTS:
            return answer
        try:
            check_status(answer, source=self.source, credentials=self._credentials)
        except WaitError as error:
            raise self._limited(answer, error, pace) from error
        except (FixError, RetryError, StopError) as error:
            # An error is an answer, and no platform bills its contents.
            self.settle(answer)
            if isinstance(error, RetryError):
                error.after_s = reset_seconds(received, self.clock.now()) or 0.0
            raise
        if status == 304:
            return answer
        try:
            return replace(answer, content=parse(answer))
        except WaitError as error:
            # Some platforms refuse with status 200.
            raise self._limited(answer, error, pace) from error

    def _limited(self, answer: Answer, error: WaitError, pace: Pace | None) -> _LimitedError:
        """A refused answer bills nothing; the body may tell how long what the headers do not."""
        self.settle(answer)
        seconds = error.after_s
        if seconds is None:
            seconds = reset_seconds(answer.headers, self.clock.now())
        if seconds is None and pace is not None:
            seconds = pace.told_s(answer)
        return _LimitedError(self.redact(error.message), seconds)

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
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send and read within the limits: status, headers with lower-case names, body."""
        patience = self.patience
        given = {name.lower(): value for name, value in headers.items()}
        sent = {"user-agent": self.user_agent, **given, "accept-encoding": "gzip"}
        timeout = {
            "connect": patience.connect_s,
            "read": patience.read_s,
            "write": patience.read_s,
            "pool": patience.connect_s,
        }
        deadline = self.clock.monotonic() + patience.total_s
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
                content = self._read(response, received, deadline, url)
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
        self, response: httpcore.Response, headers: Mapping[str, str], deadline: float, url: str
    ) -> bytes:
        limit = self.patience.body_bytes
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise self._too_large(url, int(declared))
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise RetryError(f"{self.source}: {_short(url)} answers in encoding {encoding!r}.")
        unpack = zlib.decompressobj(31) if "gzip" in encoding else None
        body = bytearray()
        raw = 0
        for chunk in response.iter_stream():
            raw += len(chunk)
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
            if len(body) > limit or raw > limit:
                raise self._too_large(url, max(len(body), raw))
            if self.clock.monotonic() > deadline:
                raise RetryError(
                    f"{self.source}: {_short(url)} took longer than {self.patience.total_s:g} s."
                )
        if unpack is not None and raw and not unpack.eof:
            raise RetryError(f"{self.source}: the answer of {_short(url)} is a torn gzip stream.")
        content = bytes(body)
        for secret in self._secrets:
            if secret in content:
                content = content.replace(secret, b"***")
        return content

    def _too_large(self, url: str, size: int) -> FixError:
        return FixError(
            f"{self.source}: the answer of {_short(url)} is refused: it has more than "
            f"{self.patience.body_bytes:,} bytes ({size:,} or more).",
            "Check the address; no source of this project sends so much at once.",
        )


class _LimitedError(WaitError):
    """A rate limit inside `send`; `seconds` until its reset, None if not told."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


def _short(url: str) -> str:
    """A URL without its query, which may be long and private."""
    return url.partition("?")[0][:200]
