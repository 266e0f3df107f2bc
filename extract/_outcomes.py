"""What an answer means: the five outcomes, and the reset instants of three kinds of headers.

* `WaitError`: a rate limit; the transport sleeps until the reset, this is raised when that would
  take longer than the settings allow;
* `StopError`: a quota, a credit or our own budget is spent; what has landed stays;
* `FixError`: credentials, permission, address or query; the message names the setting;
* `RetryError`: a fault that passes; raised when the attempts are used up;
* `SkipError`: one bad record, which goes to the rejects with its reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from extract.base import ExtractError

RESET_HEADERS = ("retry-after", "x-rate-limit-reset", "x-ratelimit-reset")
REMAINING_HEADERS = ("x-rate-limit-remaining", "x-ratelimit-remaining")
EPOCH_FLOOR = 1_000_000_000
"""A larger number is seconds since 1970, a smaller one seconds from now."""
RETRIED_STATUSES = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_SHOWN_CHARACTERS = 200
_LIMIT = re.compile(
    r"\brate limit\b.*\bexceeded\b|\bsecondary rate limit\b|\babuse detection\b", re.I
)


class WaitError(ExtractError):
    """A rate limit lasts longer than this run may wait. `after_s` is how long the body of a refusal
    says to wait, None if it does not."""

    after_s: float | None = None


class StopError(ExtractError):
    """A quota, a credit or a budget is spent: nothing more until the next period."""


class FixError(ExtractError):
    """A setting or a credential must be changed; `is_credential` when every further request of the
    source would fail in the same way, `status` is that of the answer, 0 if there was none, `body`
    the beginning of what a platform says of something that is not there."""

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        is_credential: bool = False,
        status: int = 0,
        body: bytes = b"",
    ) -> None:
        super().__init__(message, remedy)
        self.is_credential = is_credential
        self.status = status
        self.body = body


class RetryError(ExtractError):
    """A fault that passes by itself did not pass in the attempts of this run. `after_s` is how long
    the server asks to be left alone, `was_sent` whether the request can have arrived."""

    after_s: float = 0.0
    was_sent: bool = True


class SkipError(ExtractError):
    """One record cannot be used; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as received. `headers` have lower-case names, `content` is the parsed JSON where
    JSON was asked for, `reservation` is what the ledger set aside for it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    fetched_at: datetime
    content: Any = None
    reservation: str = ""
    hops: tuple[str, ...] = field(default=())


Parse: TypeAlias = Callable[[Answer], Any]
"""Makes `content` of an answer; raises `RetryError` for a body that is not what was asked for."""


def parse_json(answer: Answer) -> Any:  # noqa: ANN401 - whatever was sent
    """The body as JSON.

    Raises:
        RetryError: it is something else.
    """
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        kind = "HTML" if answer.body.lstrip()[:1] == b"<" else "something unreadable"
        raise RetryError(
            f"{_without_query(answer.url)} answers with {kind} instead of JSON.",
            "If it stays, a proxy or login page stands in between: check the base_url.",
        ) from error


def reset_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the limit is lifted, as told by the server; None if it does not tell.

    Understands epoch seconds, seconds left, and an instant as ISO or HTTP text. Instants are
    measured against the server's own `Date` where there is one, because clocks differ.
    """
    server_now = _instant(headers.get("date", "")) or now
    found = [
        seconds
        for name in RESET_HEADERS
        if (seconds := _seconds_of(headers.get(name, ""), server_now)) is not None
    ]
    return max(found) if found else None


def _seconds_of(value: str, server_now: datetime) -> float | None:
    text = value.strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        instant = _instant(text)
        return None if instant is None else (instant - server_now).total_seconds()
    if not 0 <= number < 1e12:
        return None
    return number - server_now.timestamp() if number >= EPOCH_FLOOR else number


def _instant(text: str) -> datetime | None:
    text = text.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Whether the server says that the next request would be refused (the number may be a
    float)."""
    for name in REMAINING_HEADERS:
        try:
            if float(headers[name]) < 1:
                return True
        except (KeyError, ValueError):
            continue
    return False


def told(answer: Answer) -> str:
    """What the platform says of an error, in one short line."""
    text = answer.body[:4000].decode("utf-8", "replace")
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        for key in ("detail", "message", "error_description", "title", "error", "reason"):
            if isinstance(content.get(key), str) and content[key].strip():
                text = content[key]
                break
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown[:_SHOWN_CHARACTERS]


def is_usage_capped(answer: Answer) -> bool:
    """Whether a 429 means that the period's quota is spent, whatever the other headers say."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    kind = str(content.get("type", "")).rstrip("/").rpartition("/")[2]
    return kind == "usage-capped" or content.get("title") == "UsageCapExceeded"


def is_rate_limit(answer: Answer) -> bool:
    """Whether a 403 is a rate limit, as at GitHub: by its headers, or in words alone."""
    headers = answer.headers
    return "retry-after" in headers or is_exhausted(headers) or bool(_LIMIT.search(told(answer)))


def check_status(answer: Answer, *, source: str, credentials: tuple[str, ...]) -> None:
    """Raise the outcome that a status means; return for success and 304.

    A rate limit raises `WaitError`, a passing fault `RetryError`: the transport acts on them.

    Raises:
        ExtractError: one of the outcomes.
    """
    status = answer.status
    if 200 <= status < 300 or status == 304:
        return
    detail = f"{status}: {told(answer)}".rstrip(": ")
    if status == 429 and is_usage_capped(answer):
        raise StopError(
            f"{source}: the platform's usage cap is reached ({detail}).",
            "What has landed stays; the next period goes on from there. A higher plan lifts it.",
        )
    if status == 402:
        raise StopError(
            f"{source}: the platform asks for payment ({detail}).",
            "Buy credits there, or wait for the next period; what has landed stays.",
        )
    if status == 429 or (status == 403 and is_rate_limit(answer)):
        raise WaitError(f"{source}: too many requests ({detail}).", "Run again later.")
    if status in RETRIED_STATUSES:
        raise RetryError(f"{source}: the platform is in trouble ({detail}).", "Run again later.")
    names = " and ".join(credentials) or "the settings of this source"
    if status == 401:
        raise FixError(
            f"{source}: the credentials are not accepted ({detail}).",
            f"Check {names} in the environment or .env.",
            is_credential=True,
            status=status,
        )
    if status == 403:
        raise FixError(
            f"{source}: not permitted ({detail}).",
            f"Check what {names} may do on the platform, and that the target of this request is "
            "public.",
            status=status,
        )
    if status in (404, 410):
        raise FixError(
            f"{source}: there is nothing at {_without_query(answer.url)} ({detail}).",
            f"Check sources.{source}.base_url and the names in sources.{source}.",
            status=status,
            body=answer.body[:4000],
        )
    raise FixError(
        f"{source}: the request is refused ({detail}).",
        f"Check the queries and names in sources.{source}.",
        status=status,
    )


def _without_query(url: str) -> str:
    return url.partition("?")[0]
