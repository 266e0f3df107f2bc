"""The alpha API of Google Trends as its public clients describe it: operations that are polled."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from extract import google_trends
from tests.contract.live.platforms.base import Platform, budget
from tests.contract.live.server import START, Reply, Request, json_reply

_DAYS = 6


@dataclass
class GoogleTrends(Platform):
    """Six days of two terms in one region. An operation is done at the second look at it, and is
    known to whoever names it: its name holds the question."""

    landed = 2 * _DAYS
    source: Any = google_trends
    has_pages = False
    environment: dict[str, str] = field(
        default_factory=lambda: {"SOCIAL_SIGNALS_GOOGLE_TRENDS_KEY": "ya29.a-very-long-key"}
    )
    looks: dict[str, int] = field(default_factory=dict)

    def settings(self, **changes: Any) -> Any:
        base = {
            "mode": "api",
            "base_url": self.url,
            "queries": ("acme", "anchor"),
            "geos": ("US",),
            "delay_days": 0,
            "overlap_days": 30,
            "poll_s": 1.0,
            "pace_s": 1.0,
        }
        return google_trends.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer ya29.a-very-long-key":
            return json_reply({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, 401)
        if request.path == "/v1alpha:fetchTimeSeries":
            assert request.method == "POST"
            spec = json.loads(request.body)["spec"]
            assert spec["timeResolution"] == "DAY"
            assert spec["geo"] == {"type": "GEO_TYPE_COUNTRY_OR_REGION", "code": "US"}
            (term,) = spec["expression"]["terms"]
            first, end = (spec["timeRange"][key][:10] for key in ("startTime", "endTime"))
            return json_reply({"name": f"{term['value']}~{first}~{end}", "done": False})
        name = request.path.removeprefix("/v1alpha/operations/")
        assert name != request.path, request.path
        self.looks[name] = self.looks.get(name, 0) + 1
        if self.looks[name] == 1:
            return json_reply({"name": name})
        term, first, end = name.split("~")
        points = self.points(term, date.fromisoformat(first), date.fromisoformat(end))
        return json_reply(
            {"name": name, "done": True, "response": {"timeSeries": {"points": points}}}
        )

    def points(self, term: str, first: date, end: date) -> list[Any]:
        if self.quirk == "empty":
            return []
        found: list[Any] = []
        for number in range(_DAYS):
            day = START.date() - timedelta(days=_DAYS - 1 - number)
            if first <= day < end:
                found.append(self.point(term, number, day))
        if self.quirk == "duplicated":
            found += found[:2]
        return found[::-1] if self.quirk == "reordered" else found

    def point(self, term: str, number: int, day: date) -> Any:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        point: dict[str, Any] = {
            "timeRange": {
                "startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "endTime": f"{start + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            },
            "searchInterest": 0.000_1 * (number + 1) * (2 if term == "anchor" else 1),
            "scaledSearchInterest": 10 * number,
        }
        if self.edits and number == 3:
            point["note"] = "(edited)"
        if self.quirk == "unknown_fields":
            point["confidence"] = {"deeply": [number]}
        if self.quirk == "missing_fields" and number == 3:
            del point["timeRange"]
        if self.quirk == "wrong_types" and number == 3:
            point["searchInterest"] = "many"
        return point
