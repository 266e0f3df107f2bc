"""What every source that asks a platform shares: its settings, its transport, plan and probe."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from extract._budget import Ledger, Limits
from extract._outcomes import FixError
from extract._patience import Patience
from extract.base import Context, Cursor, Source, SourceSettings

if TYPE_CHECKING:
    from extract._http import Http

LATEST_MARGIN_SECONDS = 86_400
"""Records dated further ahead of our clock do not move a cursor: one of the two is wrong."""


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https address.")
    return url.rstrip("/")


def check_own_url(url: str) -> str:
    """Plain http would show keys to everybody on the way, except on this machine."""
    url = _check_url(url)
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(f"{url!r} is not encrypted: use https, or http on this machine.")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_stream_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is no wss address.")
    if parts.scheme == "ws" and not _is_loopback(parts.hostname):
        raise ValueError(f"{url!r} is not encrypted: use wss, or ws on this machine.")
    return url.rstrip("/")


_DURATION = re.compile(r"(?=\d)(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")


def duration_of(text: str) -> timedelta:
    """`90s`, `10m`, `2h` or `1h30m` as a time.

    Raises:
        ValueError: it is none, or no time at all.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is not None:
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        found = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if found:
            return found
    raise ValueError(f"{text!r} is no duration: write 90s, 10m, 2h or 1h30m.")


def _check_duration(text: str) -> str:
    duration_of(text)
    return text


DurationText = Annotated[str, AfterValidator(_check_duration)]
StreamUrl = Annotated[str, AfterValidator(_check_stream_url)]
AnyUrl = Annotated[str, AfterValidator(_check_url)]
OwnUrl = Annotated[str, AfterValidator(check_own_url)]
Money = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]


class BudgetSettings(BaseModel):
    """`[sources.<name>.budget]`: the most in a calendar month (UTC)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: Annotated[int, Field(ge=0)] = 10_000
    money_usd: Money = Decimal(0)
    units: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class LiveSettings(SourceSettings):
    """What every live source takes beside its own keys. `pace_s` is the least time between two
    requests, `max_wait_s` the most that one request waits for a rate limit, `max_pages` the most
    pages of one listing in one run."""

    budget: BudgetSettings = BudgetSettings()
    prices_usd: dict[str, Money] = Field(default_factory=dict)
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    max_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 1_200.0
    max_pages: Annotated[int, Field(ge=1)] = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What one part of a pull is expected to take. `basis` says where the figure comes from."""

    what: str
    requests: int
    units: Mapping[str, int] = field(default_factory=dict)
    money_usd: Decimal = Decimal(0)
    minutes: float = 0.0
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a source could be pulled now; None where it could not be found out. `missing` are
    environment variables, `message` is what to change."""

    is_configured: bool
    is_reachable: bool | None = None
    is_authorised: bool | None = None
    missing: tuple[str, ...] = ()
    message: str = ""


class LiveSource(Source, Protocol):
    """A source that asks a platform. `CREDENTIALS` are the environment variables it reads."""

    CREDENTIALS: tuple[str, ...]

    def plan(
        self,
        settings: Any,  # noqa: ANN401
        cursor: Cursor,
        context: Context,
    ) -> list[Planned]:
        """Predict a pull; counting requests are charged like any other."""
        ...

    def probe(self, settings: Any, context: Context) -> Probe:  # noqa: ANN401
        """Find out with one cheap request whether a pull would work."""
        ...


def open_ledger(settings: LiveSettings, context: Context, *, source: str) -> Ledger | None:
    """The source's ledger; None where a caller keeps none (a test of the wire alone)."""
    if context.budgets is None:
        return None
    budget = settings.budget
    return Ledger(
        context.budgets,
        source=source,
        limits=Limits(budget.requests, budget.money_usd, budget.units),
        prices_usd=settings.prices_usd,
        clock=context.clock,
        run_id=context.run_id,
    )


def open_http(
    settings: LiveSettings,
    context: Context,
    *,
    source: str,
    allowed: Sequence[str],
    secrets: Sequence[str] = (),
    credentials: tuple[str, ...] = (),
    patience: Patience | None = None,
) -> Http:
    """The source's transport with its budget, pace and patience."""
    # Only here, so that commands that ask nobody do not wait for its imports.
    from extract._http import Http

    patience = patience or Patience(wait_s=settings.max_wait_s)
    return Http(
        source=source,
        allowed=allowed,
        clock=context.clock,
        ledger=open_ledger(settings, context, source=source),
        pace_s=settings.pace_s,
        patience=patience,
        secrets=secrets,
        credentials=credentials,
    )


def latest_second(context: Context) -> int:
    """The newest second since 1970 that may move a cursor."""
    return int(context.clock.now().timestamp()) + LATEST_MARGIN_SECONDS


def seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def credential(context: Context, name: str, *, source: str) -> str:
    """The value of an environment variable.

    Raises:
        FixError: it is not set.
    """
    value = context.environment.get(name, "").strip()
    if not value:
        raise FixError(
            f"{source}: {name} is not set.",
            "Put it into the environment or .env; docs/sources.md says where to get it.",
            is_credential=True,
        )
    return value
