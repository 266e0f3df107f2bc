"""The ledger of requests, billed units and money, by source and calendar month (UTC).

`<folder>/<source>-<YYYY-MM>.jsonl` is appended under a file lock, so two processes share one limit.
A request is written down with the most it can cost *before* it is sent, and corrected once its
answer is known:

    {"id":"…","at":"…","run_id":"…","requests":1,"units":{"posts":100},"money_usd":"0.5"}
    {"settles":"…","units":{"posts":37},"money_usd":"0.185"}

A crash in between leaves the higher figure: the ledger never counts too little.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

from extract._clock import Clock
from extract._outcomes import StopError
from extract.base import ExtractError, Json

_TORN = b"#torn\n"
_FILE = re.compile(r"(?P<source>[a-z][a-z0-9_]*)-(?P<month>\d{4}-\d{2})\.jsonl")


class LedgerError(ExtractError):
    """The ledger cannot be read or written: without it no request may be sent."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a source may use in a calendar month; a unit without a limit is only
    counted."""

    requests: int
    money_usd: Decimal = Decimal(0)
    units: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Use:
    """What a month's ledger adds up to."""

    source: str
    month: str
    requests: int = 0
    units: dict[str, int] = field(default_factory=dict)
    money_usd: Decimal = Decimal(0)


@dataclass(slots=True)
class _Open:
    """How far a ledger file has been read, and what is not settled yet."""

    use: Use
    position: int = 0
    reserved: dict[str, tuple[dict[str, int], Decimal]] = field(default_factory=dict)


class Ledger:
    """One source's budget. `prices_usd` are by unit; `limits` are the month's."""

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        limits: Limits,
        prices_usd: Mapping[str, Decimal],
        clock: Clock,
        run_id: str = "",
    ) -> None:
        self._folder = folder
        self._source = source
        self._limits = limits
        self._prices = dict(prices_usd)
        self._clock = clock
        self._run_id = run_id
        self._months: dict[str, _Open] = {}
        self._month_of: dict[str, str] = {}

    def price_of(self, units: Mapping[str, int]) -> Decimal:
        """What these units cost in US dollars."""
        return sum(
            (self._prices.get(unit, Decimal(0)) * count for unit, count in units.items()),
            Decimal(0),
        )

    def reserve(self, units: Mapping[str, int] | None = None) -> str:
        """Set one request and its units aside, durably, and return its id.

        Raises:
            StopError: it would pass a limit; nothing is written.
            LedgerError: the ledger cannot be read or written.
        """
        wanted = dict(units or {})
        money = self.price_of(wanted)
        with self._opened(self._month()) as (handle, state):
            self._check(state.use, wanted, money)
            reservation = secrets.token_hex(8)
            entry: Json = {
                "id": reservation,
                "at": self._clock.now().isoformat(timespec="milliseconds"),
                "run_id": self._run_id,
                "requests": 1,
                "units": wanted,
                "money_usd": str(money),
            }
            self._append(handle, state, entry)
            self._month_of[reservation] = state.use.month
        return reservation

    def settle(self, reservation: str, units: Mapping[str, int] | None = None) -> None:
        """Correct what a request was billed; without units it was billed nothing but itself.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        month = self._month_of.pop(reservation, None)
        if month is None:
            return
        billed = dict(units or {})
        with self._opened(month) as (handle, state):
            held = state.reserved.get(reservation)
            if held is None or held[0] == billed:
                state.reserved.pop(reservation, None)
                return
            entry: Json = {
                "settles": reservation,
                "units": billed,
                "money_usd": str(self.price_of(billed)),
            }
            self._append(handle, state, entry)

    def allows(self, units: Mapping[str, int] | None = None) -> bool:
        """Whether such a request would be within the limits now.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        wanted = dict(units or {})
        with self._opened(self._month()) as (_, state):
            try:
                self._check(state.use, wanted, self.price_of(wanted))
            except StopError:
                return False
        return True

    def use(self) -> Use:
        """What this month has used, other processes' requests included.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with self._opened(self._month()) as (_, state):
            use = state.use
            return Use(use.source, use.month, use.requests, dict(use.units), use.money_usd)

    @property
    def limits(self) -> Limits:
        return self._limits

    def _month(self) -> str:
        return f"{self._clock.now():%Y-%m}"

    def _check(self, use: Use, units: Mapping[str, int], money: Decimal) -> None:
        limits, name = self._limits, f"sources.{self._source}.budget"
        if use.requests + 1 > limits.requests:
            raise StopError(
                f"{self._source}: the budget of {limits.requests:,} requests of {use.month} is "
                "used up.",
                f"It starts again with the month; {name}.requests raises it.",
            )
        for unit, count in units.items():
            limit = limits.units.get(unit)
            used = use.units.get(unit, 0)
            if limit is not None and used + count > limit:
                raise StopError(
                    f"{self._source}: the next request may read {count:,} {unit} and {used:,} of "
                    f"{limit:,} of {use.month} are used.",
                    f"It starts again with the month; {name}.units.{unit} raises it.",
                )
        if money and use.money_usd + money > limits.money_usd:
            raise StopError(
                f"{self._source}: the next request may cost ${money.normalize():f}; "
                f"${use.money_usd.normalize():f} of ${limits.money_usd.normalize():f} of "
                f"{use.month} are spent.",
                f"{name}.money_usd allows it; sources.{self._source}.prices_usd sets another "
                "price (0 where your plan is free).",
            )

    @contextlib.contextmanager
    def _opened(self, month: str) -> Iterator[tuple[IO[bytes], _Open]]:
        """The month's file, locked, and its sums up to date."""
        path = self._folder / f"{self._source}-{month}.jsonl"
        state = self._months.setdefault(month, _Open(Use(self._source, month)))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _catch_up(handle, state, path)
                yield handle, state
        except OSError as error:
            raise LedgerError(
                f"The budget ledger {path} cannot be used ({error.strerror or error}).",
                "Free space or mend the folder's permissions: no request is sent without it.",
            ) from error

    def _append(self, handle: IO[bytes], state: _Open, entry: Json) -> None:
        line = (json.dumps(entry, separators=(",", ":")) + "\n").encode()
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())
        state.position += len(line)
        _add(state, entry)


def _catch_up(handle: IO[bytes], state: _Open, path: Path) -> None:
    """Read what was appended since the last look; close the torn line of a killed process."""
    handle.seek(0, os.SEEK_END)
    end = handle.tell()
    if end < state.position:
        raise LedgerError(
            f"The budget ledger {path} became shorter.", "Restore it from a copy, or run again."
        )
    handle.seek(state.position)
    text = handle.read(end - state.position)
    if text and not text.endswith(b"\n"):
        # Its request was not sent: a line is synced before.
        handle.write(_TORN)
        handle.flush()
        text += _TORN
    for line in text.splitlines(keepends=True):
        if not line.endswith(_TORN):
            try:
                _add(state, json.loads(line))
            except (ValueError, KeyError, TypeError, InvalidOperation) as error:
                raise LedgerError(
                    f"The budget ledger {path} is damaged: {line[:80]!r}.",
                    "Restore it from a copy; deleting it forgets what this month has used.",
                ) from error
        state.position += len(line)


def _add(state: _Open, entry: Json) -> None:
    use = state.use
    units = {str(unit): int(count) for unit, count in entry["units"].items()}
    money = Decimal(entry["money_usd"])
    if "settles" in entry:
        held_units, held_money = state.reserved.pop(entry["settles"], ({}, Decimal(0)))
        for unit, count in held_units.items():
            use.units[unit] = use.units.get(unit, 0) - count
        use.money_usd -= held_money
    else:
        use.requests += int(entry["requests"])
        state.reserved[str(entry["id"])] = (units, money)
    for unit, count in units.items():
        use.units[unit] = use.units.get(unit, 0) + count
    use.money_usd += money


def read_uses(folder: Path) -> list[Use]:
    """What every source used in every month, by source and month.

    Raises:
        LedgerError: a ledger is damaged or cannot be read.
    """
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        state = _Open(Use(match["source"], match["month"]))
        try:
            with path.open("r+b") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _catch_up(handle, state, path)
        except OSError as error:
            raise LedgerError(
                f"The budget ledger {path} cannot be read ({error.strerror or error}).",
                "Mend the folder's permissions.",
            ) from error
        found.append(state.use)
    return found
