"""The alpha API of Google Trends: one long-running operation a term and region.

Access is by invitation and its wire is not published. What this module sends and expects is what
three public clients of testers agree on: a time series is asked for by POST, the answer names an
operation, the operation is polled until it is done and then holds the points. What Google says
publicly: values of all requests are on one scale, by day, week, month or year, over the last 1,800
days, ending two days ago. Addresses and paths are settings, and nothing else of the project knows
this wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from extract._live import (
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    credential,
    latest_second,
    open_http,
)
from extract._outcomes import Answer, FixError, RetryError, StopError, parse_json
from extract._queries import catalogue_terms
from extract._state import Batch, Progress, Walk, one_after_the_other, walk_listing, window_key
from extract.base import Context, Cursor, ExtractError, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

KEY = "SOCIAL_SIGNALS_GOOGLE_TRENDS_KEY"
REACH_DAYS = 1_800
_POINT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_OPERATION = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}")
# Codes of google.rpc.Status.
_QUOTA, _PASSING, _REFUSED = frozenset({8}), frozenset({1, 2, 4, 10, 13, 14}), frozenset({7, 16})

Path = Annotated[str, Field(pattern=r"^/[\w./:~-]*$")]
Geo = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,20}$")]


class ApiSettings(LiveSettings):
    """The keys of `[sources.google_trends]` for `mode = "api"`.

    Without `queries` every keyword of the catalogue is asked for, in each of `geos`. Each pull
    reads `overlap_days` again, because recent values are revised; `delay_days` is how long the API
    stays behind today. `project` is billed for the quota, where the key needs one.
    """

    base_url: OwnUrl = "https://searchtrends.googleapis.com"
    series_path: Path = "/v1alpha:fetchTimeSeries"
    operations_path: Path = "/v1alpha/operations"
    project: str = ""
    queries: tuple[str, ...] = ()
    geos: tuple[Geo, ...] = ("US",)
    geo_type: str = "GEO_TYPE_COUNTRY_OR_REGION"
    resolution: Literal["day", "week", "month", "year"] = "day"
    first_days: Annotated[int, Field(ge=1, le=REACH_DAYS)] = REACH_DAYS
    overlap_days: Annotated[int, Field(ge=0, le=REACH_DAYS)] = 14
    delay_days: Annotated[int, Field(ge=0, le=60)] = 2
    poll_s: Annotated[float, Field(ge=0.1, le=600)] = 2.0
    max_polls: Annotated[int, Field(ge=1, le=1_000)] = 60
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 1.0


def pull(
    settings: ApiSettings, cursor: Cursor, context: Context, *, source: str, stream: str
) -> Iterator[Page]:
    """Yield a page a term and region with the points that are new or revised."""
    progress = Progress.of(cursor, source=source)
    asked = _asked(settings, context, source)
    keys = {
        part: window_key("|".join((*part, settings.resolution)), context.since, context.until)
        for part in asked
    }
    usual = ["|".join((*part, settings.resolution)) for part in asked]
    progress.keep_only([*usual, *keys.values()])
    with _open(settings, context, source) as http:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (
                f"{term!r} in {geo or 'the world'}",
                partial(
                    _pull_one, http, settings, context, progress, term, geo, keys[term, geo], stream
                ),
            )
            for term, geo in asked
        ]
        for page in one_after_the_other(parts, source=source):
            # What the other mode knows of its files stays.
            yield Page(page.records, {**cursor, **page.cursor}, page.rejects, page.notes)


def _asked(settings: ApiSettings, context: Context, source: str) -> list[tuple[str, str]]:
    queries = list(settings.queries) or catalogue_terms(context.catalogue, ("keyword",))
    if not queries or not settings.geos:
        raise FixError(
            f"{source}: there is nothing to ask for.",
            f"Add keywords to terms.csv, or set sources.{source}.queries and geos.",
        )
    return [(term, geo) for term in dict.fromkeys(queries) for geo in dict.fromkeys(settings.geos)]


def _open(settings: ApiSettings, context: Context, source: str) -> Http:
    key = credential(context, KEY, source=source)
    return open_http(
        settings,
        context,
        source=source,
        allowed=[settings.base_url],
        secrets=[key],
        credentials=(KEY,),
    )


def _window(settings: ApiSettings, context: Context, walk: Walk) -> tuple[date, date]:
    """The first day that is asked for, and the day after the last."""
    today = context.clock.now().date()
    end = today - timedelta(days=settings.delay_days) + timedelta(days=1)
    reach = today - timedelta(days=REACH_DAYS)
    if context.until is not None:
        end = min(end, (context.until - timedelta(microseconds=1)).date() + timedelta(days=1))
    if context.since is not None:
        return max(reach, context.since.date()), end
    if walk.done is None:
        return max(reach, end - timedelta(days=settings.first_days)), end
    known = datetime.fromtimestamp(walk.done, UTC).date()
    return max(reach, known - timedelta(days=settings.overlap_days)), end


def _pull_one(
    http: Http,
    settings: ApiSettings,
    context: Context,
    progress: Progress,
    term: str,
    geo: str,
    key: str,
    stream: str,
) -> Iterator[Page]:
    walk = progress.walk(key)
    first, end = _window(settings, context, walk)
    if first >= end:
        return

    def fetch(_resume: Json | None) -> Batch:
        answer = _operation(http, settings, context, term, geo, first, end)
        return _batch(answer, settings, term, geo, stream)

    is_backfill = context.since is not None or context.until is not None
    for batch in walk_listing(
        walk,
        progress.seen,
        fetch,
        latest=latest_second(context),
        max_pages=settings.max_pages,
        what=f"{http.source} {term!r}",
    ):
        if is_backfill and batch.reached:
            del progress.walks[key]
        yield progress.page(batch)


def _headers(settings: ApiSettings, context: Context, source: str) -> dict[str, str]:
    key = credential(context, KEY, source=source)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return headers | ({"X-Goog-User-Project": settings.project} if settings.project else {})


def _ask(
    http: Http,
    settings: ApiSettings,
    context: Context,
    term: str,
    geo: str,
    first: date,
    end: date,
) -> Answer:
    """Start the operation."""
    spec: Json = {
        "expression": {"terms": [{"value": term, "type": "BROAD"}]},
        "timeRange": {
            "startTime": f"{first.isoformat()}T00:00:00Z",
            "endTime": f"{end.isoformat()}T00:00:00Z",
        },
        "timeResolution": settings.resolution.upper(),
    }
    if geo:
        spec["geo"] = {"type": settings.geo_type, "code": geo}
    points = (end - first).days // _POINT_DAYS[settings.resolution] + 1
    answer = http.send(
        "POST",
        f"{settings.base_url}{settings.series_path}",
        headers=_headers(settings, context, http.source),
        body=json.dumps({"spec": spec}).encode(),
        units={"points": points},
        parse=_parse_operation,
    )
    content = answer.content
    if not content.get("done"):
        http.settle(answer, {"points": points})
    return answer


def _operation(
    http: Http,
    settings: ApiSettings,
    context: Context,
    term: str,
    geo: str,
    first: date,
    end: date,
) -> Answer:
    """Start the operation and poll it until it is done.

    Raises:
        ExtractError: it failed, or takes longer than the settings allow.
    """
    answer = _ask(http, settings, context, term, geo, first, end)
    if answer.content.get("done"):
        http.settle(answer, {"points": len(_points(answer.content))})
    name = str(answer.content.get("name", "")).rpartition("/")[2]
    for _ in range(settings.max_polls):
        if answer.content.get("done"):
            _check_error(answer.content, http.source)
            return answer
        if not _OPERATION.fullmatch(name):
            raise RetryError(
                f"{http.source}: the answer names no operation.",
                f"Run again; if it stays, check sources.{http.source}.series_path.",
            )
        http.clock.sleep(settings.poll_s)
        answer = http.get(
            f"{settings.base_url}{settings.operations_path}/{quote(name, safe='~')}",
            headers=_headers(settings, context, http.source),
            parse=_parse_operation,
        )
        http.settle(answer)
    if answer.content.get("done"):
        _check_error(answer.content, http.source)
        return answer
    raise RetryError(
        f"{http.source}: the operation for {term!r} is not done after {settings.max_polls} looks.",
        f"Run again later, or raise sources.{http.source}.max_polls.",
    )


def _parse_operation(answer: Answer) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    is_operation = isinstance(content, dict) and (
        isinstance(content.get("name"), str) or content.get("done") is True
    )
    if is_operation and content.get("done") is True and "error" not in content:
        is_operation = isinstance(content.get("response"), dict) and isinstance(
            _points(content), list
        )
    if not is_operation:
        raise RetryError(
            "google_trends: the answer is no operation.",
            "Run again; if it stays, the alpha API has changed or a proxy stands in between: check "
            "sources.google_trends.base_url and series_path.",
        )
    return content


def _points(content: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as received
    response = content.get("response")
    series = response.get("timeSeries", {}) if isinstance(response, dict) else {}
    return series.get("points", []) if isinstance(series, dict) else None


def _check_error(content: Mapping[str, Any], source: str) -> None:
    """Raise what the error of a finished operation means."""
    error = content.get("error")
    if error is None:
        return
    code = error.get("code") if isinstance(error, dict) else None
    told = str(error.get("message", "") if isinstance(error, dict) else error)[:200]
    if code in _QUOTA:
        raise StopError(
            f"{source}: the quota is spent ({told}).",
            "What has landed stays; run again when the quota is new.",
        )
    if code in _PASSING:
        raise RetryError(f"{source}: the operation failed ({told}).", "Run again later.")
    raise FixError(
        f"{source}: the operation is refused ({told}).",
        f"Check {KEY}, sources.{source}.queries and geos.",
        is_credential=code in _REFUSED,
    )


def _batch(answer: Answer, settings: ApiSettings, term: str, geo: str, stream: str) -> Batch:
    records: list[Record] = []
    positions: dict[str, int] = {}
    rejects: list[Reject] = []
    for point in _points(answer.content):
        start, value, problem = _read_point(point)
        if start is None or problem:
            rejects.append(Reject(stream, repr(point)[:2_000], problem, f"{term}|{geo}"))
            continue
        payload: Json = {
            "term": term,
            "geo": geo,
            "date": start.date().isoformat(),
            "time": None,
            "value": value,
            "is_partial": point.get("isPartial") is True,
            "resolution": settings.resolution,
            "window_start": None,
            "window_end": None,
            "draw": "api",
            "request": "api",
            "scale": "constant",
            "category": "",
            "property": "",
            "received": point,
        }
        record_id = "|".join((term, geo, payload["date"], settings.resolution, "api"))
        positions[record_id] = int(start.timestamp())
        records.append(Record(stream, record_id, payload, answer.fetched_at))
    return Batch(records, positions, None, True, rejects)


def _read_point(point: Any) -> tuple[datetime | None, str, str]:  # noqa: ANN401 - as received
    """When a point begins (UTC), its value as text, and what is wrong with it."""
    if not isinstance(point, dict):
        return None, "", "a point is no object"
    span = point.get("timeRange")
    start = _instant(span.get("startTime") if isinstance(span, dict) else point.get("date"))
    if start is None:
        return None, "", "timeRange.startTime is no instant"
    value = point.get("searchInterest")
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", value):
        return start, value, ""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e300:
        return start, repr(value), ""
    return start, "", "searchInterest is no number from 0 on"


def _instant(value: Any) -> datetime | None:  # noqa: ANN401 - as received
    if isinstance(value, dict):
        value = value.get("seconds")
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 4e9:
            return None
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def plan(settings: ApiSettings, cursor: Cursor, context: Context, *, source: str) -> list[Planned]:
    """One operation a term and region, two requests each or more; nothing is asked."""
    progress = Progress.of(cursor, source=source)
    planned = []
    for term, geo in _asked(settings, context, source):
        key = window_key(f"{term}|{geo}|{settings.resolution}", context.since, context.until)
        first, end = _window(settings, context, progress.walk(key))
        if first < end:
            points = (end - first).days // _POINT_DAYS[settings.resolution] + 1
            planned.append(
                Planned(
                    f"{term!r} in {geo or 'the world'}",
                    2,
                    {"points": points},
                    minutes=(settings.poll_s + settings.pace_s) / 60,
                    basis="days asked for",
                )
            )
    return planned


def probe(settings: ApiSettings, context: Context, *, source: str) -> Probe:
    """Start an operation over one week, which takes a few points of the quota."""
    if not context.environment.get(KEY, "").strip():
        return Probe(is_configured=False, missing=(KEY,))
    try:
        term, geo = _asked(settings, context, source)[0]
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    end = context.clock.now().date() - timedelta(days=settings.delay_days)
    with _open(settings, context, source) as http:
        try:
            _ask(http, settings, context, term, geo, end - timedelta(days=7), end)
        except FixError as error:
            is_refused = error.is_credential or error.status == 403
            return Probe(
                is_configured=True,
                is_reachable=True,
                is_authorised=not is_refused,
                message=str(error),
            )
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)
