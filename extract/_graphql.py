"""Questions to a GraphQL platform: one POST with variables, and what its errors mean.

GraphQL says most of what goes wrong with status 200, in `errors`; here they become the five
outcomes of `extract._outcomes`. Values travel as variables alone and are never part of the query's
text. A platform that counts points tells the state of its bucket in `extensions.cost`: `Bucket`
keeps it, and no request leaves while it holds less than the query asks for. Platforms that tell
their limits in headers need no bucket: the transport reads those.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from extract._outcomes import Answer, FixError, RetryError, WaitError, parse_json
from extract.base import Json

if TYPE_CHECKING:
    from extract._clock import Clock
    from extract._http import Http

THROTTLED_CODES = frozenset({"THROTTLED", "RATE_LIMITED", "RATE_LIMIT_REACHED"})
DENIED_CODES = frozenset({"ACCESS_DENIED", "FORBIDDEN", "INSUFFICIENT_SCOPES"})
LOGIN_CODES = frozenset({"UNAUTHENTICATED", "UNAUTHORIZED", "INVALID_OAUTH_TOKEN"})
PASSING_CODES = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})
COST_CODES = frozenset({"MAX_COST_EXCEEDED"})
_SHOWN_CHARACTERS = 300
_ROUNDING = 1e-6
"""Points that a bucket may seem to be short of because binary fractions are not exact."""
_SHOWN_ERRORS = 3


class QueryError(FixError):
    """The platform refuses a query; `codes` are those of its errors, in capitals."""

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        codes: frozenset[str] = frozenset(),
        is_credential: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(message, remedy, is_credential=is_credential, status=status)
        self.codes = codes


@dataclass(frozen=True, slots=True)
class Cost:
    """What `extensions.cost` tells, in points; None where it does not tell. `requested` is what
    the query had to have in the bucket, `actual` what it was charged."""

    requested: float | None = None
    actual: float | None = None
    maximum: float | None = None
    available: float | None = None
    restore_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class GraphAnswer:
    """What came back: `data` by field of the query, `errors` that left data beside them."""

    data: Json
    errors: tuple[Json, ...]
    extensions: Json
    answer: Answer

    @property
    def cost(self) -> Cost:
        return cost_of({"extensions": self.extensions})

    @property
    def notes(self) -> list[str]:
        """The errors beside the data, for the user."""
        return [f"left out: {told_error(error)}" for error in self.errors]


@dataclass(slots=True)
class Bucket:
    """Points as a platform counts them: so many at most, restored by the second.

    `unknown_cost` is what a query counts as before the platform has told what it asks for. One
    bucket serves every query of one account; nothing is known before the first answer.
    """

    clock: Clock
    unknown_cost: float = 1_000.0
    maximum: float | None = None
    restore_per_s: float | None = None
    _available: float = 0.0
    _at: float = 0.0
    _costs: dict[str, float] = field(default_factory=dict)

    def cost_of(self, key: str) -> float:
        """What the query of this key must find in the bucket."""
        return self._costs.get(key, self.unknown_cost)

    def wait_s(self, key: str) -> float:
        """Seconds until the bucket holds what the query needs; 0 when it does, or when nothing is
        known of the bucket."""
        if self.maximum is None or not self.restore_per_s:
            return 0.0
        # A query that needs more than there can be is for the platform to refuse.
        short = min(self.cost_of(key), self.maximum) - self._now()
        if short <= _ROUNDING:
            return 0.0
        # To the millisecond after: rounding must not send it a moment early.
        return math.ceil(short / self.restore_per_s * 1000) / 1000 + 0.001

    def spend(self, key: str) -> None:
        """Count a request that leaves; its answer, which may never come, says what it took."""
        if self.maximum is not None:
            self._available = self._now() - self.cost_of(key)
            self._at = self.clock.monotonic()

    def learn(self, key: str, cost: Cost) -> None:
        """Take over what an answer tells."""
        if cost.requested is not None:
            self._costs[key] = cost.requested
        if cost.maximum is None or cost.available is None or not cost.restore_per_s:
            return
        # What was restored since the answer left is not counted: better late than refused.
        self.maximum, self.restore_per_s = cost.maximum, cost.restore_per_s
        self._available, self._at = min(cost.available, cost.maximum), self.clock.monotonic()

    def _now(self) -> float:
        if self.maximum is None or self.restore_per_s is None:
            return 0.0
        restored = (self.clock.monotonic() - self._at) * self.restore_per_s
        return min(self.maximum, self._available + restored)


@dataclass(slots=True)
class _Pace:
    """The transport's view of a bucket, for the requests of one query."""

    bucket: Bucket | None
    key: str

    def wait_s(self) -> float:
        return 0.0 if self.bucket is None else self.bucket.wait_s(self.key)

    def leaves(self) -> None:
        if self.bucket is not None:
            self.bucket.spend(self.key)

    def told_s(self, answer: Answer) -> float | None:
        """How long a refusal asks to wait, from its body."""
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError):
            return None
        return self.limited_s(content) if isinstance(content, dict) else None

    def limited_s(self, content: Json) -> float | None:
        cost = cost_of(content)
        if self.bucket is not None:
            self.bucket.learn(self.key, cost)
        for error in _errors_of(content):
            details = error.get("details")
            seconds = details.get("reset_in") if isinstance(details, dict) else None
            if _is_number(seconds) and seconds >= 0:
                return float(seconds)
        if cost.available is None or not cost.restore_per_s:
            return None
        wanted = cost.requested if cost.requested is not None else cost.maximum
        if wanted is None:
            return None
        if cost.maximum is not None:
            wanted = min(wanted, cost.maximum)
        return max(0.0, wanted - cost.available) / cost.restore_per_s


def ask(
    http: Http,
    url: str,
    *,
    query: str,
    variables: Mapping[str, Any],
    headers: Mapping[str, str],
    what: str,
    units: Mapping[str, int] | None = None,
    bucket: Bucket | None = None,
    key: str = "",
    accept: Callable[[Json], bool] | None = None,
) -> GraphAnswer:
    """POST one query and return its data.

    `what` names the question in messages. `units` are set aside in the ledger before the request;
    a unit named `points` is settled with the actual cost where the platform tells it. `key` tells
    apart queries of different cost in the `bucket`; the query's own text does by default. Data that
    `accept` does not take for an answer to this question (out of a cache) is asked for again.

    Raises:
        WaitError: the limit lasts longer than a request may wait (as status 200 and as 429).
        QueryError: access is denied, or the query is refused.
        StopError, FixError, RetryError, LedgerError: as told in `Http.send`.
    """
    pace = _Pace(bucket, key or query)
    body = json.dumps({"query": query, "variables": dict(variables)}, ensure_ascii=False)

    def parse(answer: Answer) -> Json:
        content = _checked(answer, pace, http.source, what)
        if accept is not None and not accept(content.get("data") or {}):
            raise RetryError(
                f"{http.source}: {what} is answered with something else.",
                "Run again; if it stays, a proxy before the platform mixes up its answers.",
            )
        return content

    answer = http.send(
        "POST",
        url,
        headers={"content-type": "application/json", "accept": "application/json", **headers},
        body=body.encode(),
        units=units,
        parse=parse,
        pace=pace,
    )
    content = answer.content if isinstance(answer.content, dict) else {}
    extensions = content.get("extensions")
    found = GraphAnswer(
        data=content.get("data") or {},
        errors=tuple(_errors_of(content)),
        extensions=extensions if isinstance(extensions, dict) else {},
        answer=answer,
    )
    actual = found.cost.actual
    if units and "points" in units and actual is not None:
        http.settle(answer, {**units, "points": math.ceil(actual)})
    return found


def _checked(answer: Answer, pace: _Pace, source: str, what: str) -> Json:
    """The content of an answer with data; everything else raises its outcome."""
    content = parse_json(answer)
    if not isinstance(content, dict) or not ("data" in content or "errors" in content):
        raise RetryError(
            f"{source}: {what} is answered with neither data nor errors.",
            f"Run again; if it stays, check sources.{source}.base_url.",
        )
    data = content.get("data")
    if not isinstance(data, dict | None):
        raise RetryError(f"{source}: {what}: data is no object.", "Run again.")
    errors = _errors_of(content)
    codes = frozenset(code for error in errors for code in [code_of(error)] if code)
    if codes & THROTTLED_CODES:
        refused = WaitError(f"{source}: too many points asked for ({_listed(errors)}).")
        refused.after_s = pace.limited_s(content)
        raise refused
    if pace.bucket is not None:
        pace.bucket.learn(pace.key, cost_of(content))
    if data and any(value is not None for value in data.values()):
        return content
    if not errors:
        # A field that is null without an error: there is nothing of that name.
        if data:
            return content
        raise RetryError(f"{source}: {what} is answered with no data and no error.", "Run again.")
    raise _outcome(errors, codes, source, what)


def _outcome(
    errors: list[Json], codes: frozenset[str], source: str, what: str
) -> FixError | RetryError:
    said = f"{source}: {what} is refused ({_listed(errors)})."
    if codes & LOGIN_CODES:
        return QueryError(
            said,
            "Check the credentials in the environment or .env.",
            codes=codes,
            is_credential=True,
            status=401,
        )
    if codes & DENIED_CODES:
        wanted = "; ".join(dict.fromkeys(filter(None, map(required_access, errors))))
        remedy = f"Give the app what it needs: {wanted}." if wanted else "Give the app that access."
        return QueryError(said, remedy, codes=codes, status=403)
    if codes and codes <= PASSING_CODES:
        return RetryError(said, "Run again later.")
    return QueryError(
        said,
        f"Check the settings of sources.{source}; the platform may have changed its API.",
        codes=codes,
        status=400,
    )


def code_of(error: Json) -> str:
    """The code of an error in capitals; empty where it has none."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    code = code or error.get("code") or error.get("error")
    return code.upper() if isinstance(code, str) else ""


def required_access(error: Json) -> str:
    """What an access error says is required; empty where it does not say."""
    extensions = error.get("extensions")
    wanted = extensions.get("requiredAccess") if isinstance(extensions, dict) else None
    return _line(wanted).rstrip(".") if isinstance(wanted, str) else ""


def told_error(error: Json) -> str:
    """An error in one short line: its message, the field it is about and its code."""
    message = error.get("message") or error.get("error_description") or error.get("error")
    path = error.get("path")
    place = ".".join(str(step) for step in path) if isinstance(path, list) else ""
    parts = [_line(message if isinstance(message, str) else "an error without words")]
    parts += [f"at {_line(place)}"] if place else []
    parts += [_line(code_of(error))] if code_of(error) else []
    return ", ".join(parts)


def cost_of(content: Mapping[str, Any]) -> Cost:
    """The numbers of `extensions.cost`."""
    extensions = content.get("extensions")
    cost = extensions.get("cost") if isinstance(extensions, dict) else None
    if not isinstance(cost, dict):
        return Cost()
    status = cost.get("throttleStatus")
    status = status if isinstance(status, dict) else {}
    return Cost(
        requested=_number(cost.get("requestedQueryCost")),
        actual=_number(cost.get("actualQueryCost")),
        maximum=_number(status.get("maximumAvailable")),
        available=_number(status.get("currentlyAvailable")),
        restore_per_s=_number(status.get("restoreRate")),
    )


def _errors_of(content: Mapping[str, Any]) -> list[Json]:
    errors = content.get("errors")
    if isinstance(errors, str):
        return [{"message": errors}]
    if not isinstance(errors, list):
        return [] if not errors else [{"message": str(errors)}]
    return [e if isinstance(e, dict) else {"message": str(e)} for e in errors]


def _listed(errors: list[Json]) -> str:
    shown = "; ".join(told_error(error) for error in errors[:_SHOWN_ERRORS])
    more = len(errors) - _SHOWN_ERRORS
    return f"{shown}; and {more:,} more" if more > 0 else shown


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: object) -> float | None:
    return float(value) if _is_number(value) and value >= 0 else None


def _line(text: str) -> str:
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown[:_SHOWN_CHARACTERS]
