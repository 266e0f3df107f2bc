"""The checks that every source passes. Each takes a platform class, so that the same checks can be
run on a source that was broken on purpose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from extract._budget import read_uses
from extract._outcomes import FixError, RetryError, StopError, WaitError
from extract.base import ExtractError, Json
from tests.contract.live.platforms import Platform
from tests.contract.live.server import LocalServer, Reply, Request, json_reply, serving

Make = Callable[..., Platform]
MANY = 100_000


@dataclass
class Result:
    """What came of a pull: landed records, rejects, notes, the saved cursor, and its end."""

    landed: list[tuple[str, str, str]] = field(default_factory=list)
    rejects: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cursor: Json = field(default_factory=dict)
    error: ExtractError | None = None
    pages: int = 0
    filled: int = 0

    @property
    def ids(self) -> set[tuple[str, str]]:
        return {(stream, record_id) for stream, record_id, _ in self.landed}

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        return Counter(self.landed)

    def __add__(self, other: Result) -> Result:
        return Result(
            [*self.landed, *other.landed],
            [*self.rejects, *other.rejects],
            [*self.notes, *other.notes],
            other.cursor,
            other.error,
            self.pages + other.pages,
            self.filled + other.filled,
        )


@contextmanager
def on(platform: Platform) -> Iterator[LocalServer]:
    with serving(platform.answer, platform.time) as server:
        platform.url = server.url
        yield server


def pull(
    platform: Platform,
    cursor: Json | None = None,
    *,
    folder: Path | None = None,
    stop_after: int = MANY,
    context: dict[str, Any] | None = None,
    **settings: Any,
) -> Result:
    """Pull as the pipeline does: a page has landed before its cursor is saved. Stops like a killed
    process after some pages that brought something."""
    result = Result(cursor=dict(cursor or {}))
    pages = platform.source.pull(
        platform.settings(**settings), result.cursor, platform.context(folder, **(context or {}))
    )
    if stop_after == 0:
        return result
    try:
        for page in pages:
            for record in page.records:
                payload = json.dumps(record.payload, sort_keys=True).replace(platform.url, "URL")
                result.landed.append((record.stream, record.record_id, payload))
            result.rejects += page.rejects
            result.notes += page.notes
            result.cursor = json.loads(json.dumps(page.cursor))
            result.pages += 1
            result.filled += bool(page.records or page.rejects)
            if result.filled >= stop_after:
                break
    except ExtractError as error:
        result.error = error
    return result


def undisturbed(make: Make) -> tuple[Result, int]:
    """A pull without faults, and how many requests it takes."""
    platform = make()
    with on(platform) as server:
        result = pull(platform)
        assert result.error is None, result.error
        assert result.landed
        assert not result.rejects
        return result, len(server.requests)


def with_fault(
    platform: Platform,
    server: LocalServer,
    fault: Callable[[Reply, int], Reply],
    at: int,
    times: int,
) -> None:
    """Let `times` answers, beginning with request number `at`, become others."""
    first = len(server.requests) + at
    answer = platform.answer

    def respond(request: Request) -> Reply:
        number = len(server.requests) - 1
        reply = answer(request)
        return fault(reply, number - first) if first <= number < first + times else reply

    server.respond = respond


def healed(platform: Platform, server: LocalServer) -> None:
    server.respond = platform.answer


def same(result: Result, expected: Result) -> None:
    """Nothing lost, nothing twice, nothing else."""
    assert result.counts == expected.counts


# Checks -------------------------------------------------------------------------------------------


def check_second_pull_lands_nothing(make: Make) -> None:
    platform = make()
    with on(platform):
        first = pull(platform)
        again = pull(platform, first.cursor)
        assert again.error is None
        assert again.landed == []
    assert max(first.counts.values()) == 1
    assert len(json.dumps(again.cursor)) < 200_000


def check_kill_and_resume(make: Make) -> None:
    expected, _ = undisturbed(make)
    assert expected.filled >= 2, "nothing to be killed between"
    for stop_after in range(expected.filled + 1):
        platform = make()
        with on(platform):
            before = pull(platform, stop_after=stop_after)
            after = pull(platform, before.cursor)
            assert after.error is None, after.error
            same(before + after, expected)
            assert pull(platform, after.cursor).landed == []


def check_kill_at_every_page(make: Make) -> None:
    """The worst weather: a process that is killed after each single page."""
    expected, _ = undisturbed(make)
    platform = make()
    with on(platform):
        total = Result()
        for _ in range(expected.filled + 1):
            total += pull(platform, total.cursor, stop_after=1)
        same(total, expected)


def check_new_records_after_a_stop(make: Make) -> None:
    """A run after a stop brings the rest of the old walk and what was published since."""
    whole = make()
    with on(whole):
        expected = pull(whole)
    platform = make()
    platform.hidden = 2
    with on(platform):
        before = pull(platform, stop_after=1)
        platform.hidden = 0
        after = pull(platform, before.cursor)
        assert after.error is None
        same(before + after, expected)


def check_quirk_lands_the_same(make: Make, quirk: str) -> None:
    """Duplicated or reordered pages."""
    expected, _ = undisturbed(make)
    platform = make(quirk=quirk)
    with on(platform):
        result = pull(platform)
        assert result.error is None, result.error
        same(result, expected)


def check_replayed_page(make: Make) -> None:
    """A cache gives the page before once more."""
    expected, requests = undisturbed(make)
    for at in range(1, requests):
        platform = make()
        with on(platform) as server:
            replies: list[Reply] = []
            answer = platform.answer

            def respond(
                request: Request,
                answer: Any = answer,
                replies: list[Reply] = replies,
                server: LocalServer = server,
                at: int = at,
            ) -> Reply:
                reply = answer(request)
                replies.append(reply)
                return replies[-2] if len(server.requests) - 1 == at else reply

            server.respond = respond
            result = pull(platform)
            assert result.error is None, (at, result.error)
            same(result, expected)


def check_edit_between_pages(make: Make) -> None:
    """A record changes while its listing is read: its old or new content lands, or both."""
    expected, requests = undisturbed(make)
    for at in range(1, requests):
        platform = make()
        with on(platform) as server:

            def change(reply: Reply, _number: int, platform: Platform = platform) -> Reply:
                platform.edit()
                return reply

            with_fault(platform, server, change, at - 1, 1)
            result = pull(platform)
            healed(platform, server)
            again = pull(platform, result.cursor)
            assert result.error is None
            assert again.error is None
            total = result + again
            assert total.ids >= expected.ids
            assert max(total.counts.values()) == 1
            assert any("(edited)" in payload for _, _, payload in total.landed)


def limited(time: Any, kind: str, wait: int) -> Reply:
    """A 429 in the form of one platform or another."""
    reset = time.now() + timedelta(seconds=wait)
    headers = {
        "epoch": {"x-rate-limit-reset": str(int(reset.timestamp()))},
        "seconds": {"x-ratelimit-reset": str(wait), "x-ratelimit-remaining": "0.0"},
        "iso": {"x-ratelimit-reset": reset.isoformat().replace("+00:00", "Z")},
        "http_date": {"retry-after": format_datetime(reset, usegmt=True)},
        "none": {},
        "past": {"x-rate-limit-reset": str(int(reset.timestamp()) - 2 * wait)},
    }[kind]
    return json_reply({"title": "Too Many Requests", "status": 429}, 429, **headers)


def check_rate_limit(make: Make, kind: str, *, skew_hours: int = 0) -> None:
    """It waits as long as it is told, or in growing steps, and lands everything."""
    expected, requests = undisturbed(make)
    for at in range(requests):
        platform = make()
        with on(platform) as server:
            server_time = type(platform.time)(platform.time.wall + timedelta(hours=skew_hours))

            def fault(
                _reply: Reply,
                _number: int,
                platform: Platform = platform,
                time: Any = server_time,
            ) -> Reply:
                time.wall = platform.time.wall + timedelta(hours=skew_hours)
                reply = limited(time, kind, 600)
                date = format_datetime(time.now(), usegmt=True)
                return reply.but(headers={**reply.headers, "date": date})

            with_fault(platform, server, fault, at, 2 if kind in ("none", "past") else 1)
            started = platform.time.ticks
            result = pull(platform)
            assert result.error is None, result.error
            same(result, expected)
            waited = platform.time.ticks - started
            if kind not in ("none", "past"):
                assert 600 <= waited < 900, waited
            else:
                assert 60 <= waited < 600, waited


def check_endless_rate_limit(make: Make, folder: Path) -> None:
    """A limit that is never lifted ends the source after a bounded wait and few requests."""
    platform = make()
    with on(platform) as server:
        with_fault(platform, server, lambda r, n: limited(platform.time, "none", 0), 0, MANY)
        result = pull(platform, folder=folder)
        assert isinstance(result.error, WaitError)
        assert "max_wait_s" in result.error.remedy
        assert len(server.requests) < 20 * max(1, result.pages + 1)


STOPPING = {
    "usage_cap": (
        json_reply(
            {
                "title": "UsageCapExceeded",
                "type": "https://api.twitter.com/2/problems/usage-capped",
                "detail": "Usage cap exceeded: Monthly product cap",
                "period": "Monthly",
            },
            429,
            **{"x-rate-limit-remaining": "449", "x-rate-limit-reset": "1"},
        ),
        StopError,
    ),
    "payment_402": (json_reply({"title": "Payment Required"}, 402), StopError),
    "unauthorised_401": (json_reply({"message": "Unauthorized"}, 401), FixError),
    "forbidden_403": (json_reply({"message": "Forbidden"}, 403), FixError),
    "missing_404": (json_reply({"message": "Not Found"}, 404), FixError),
}


def check_stopping(make: Make, kind: str) -> None:
    """It ends with a type and a remedy, keeps what has landed, and goes on when that is mended."""
    reply, outcome = STOPPING[kind]
    expected, requests = undisturbed(make)
    for at in range(requests):
        platform = make()
        with on(platform) as server:
            with_fault(platform, server, lambda r, n, reply=reply: reply, at, MANY)
            result = pull(platform)
            sent = len(server.requests)
            assert isinstance(result.error, outcome), result.error
            assert result.error.remedy
            assert sent <= at + requests, "it went on asking"
            if outcome is StopError or kind == "unauthorised_401":
                assert sent == at + 1, "it went on asking"
            healed(platform, server)
            after = pull(platform, result.cursor)
            assert after.error is None, after.error
            same(result + after, expected)


PASSING: dict[str, Callable[[Reply], Reply]] = {
    "error_500": lambda r: Reply(500, b"oops"),
    "error_503": lambda r: Reply(503, b"<html>down</html>", {"retry-after": "5"}),
    "connection_reset": lambda r: r.but(manner="reset"),
    "torn_gzip": lambda r: r.but(manner="torn"),
    "short_body": lambda r: r.but(manner="short"),
    "html": lambda r: Reply(200, b"<!doctype html><html><body>Sign in</body></html>"),
    "empty_body": lambda r: Reply(200, b""),
    "slow_body": lambda r: r.but(manner="slow"),
}


def check_passing(make: Make, kind: str) -> None:
    """Three in a row are survived; a longer burst ends the source, and the next run goes on."""
    expected, requests = undisturbed(make)
    fault = PASSING[kind]
    for at in range(requests):
        platform = make()
        with on(platform) as server:
            with_fault(platform, server, lambda r, n: fault(r), at, 3)
            result = pull(platform)
            assert result.error is None, (at, result.error)
            same(result, expected)
            assert platform.time.slept
            waits = [s for s in platform.time.slept if s > 0]
            assert max(waits) <= 120
    platform = make()
    with on(platform) as server:
        with_fault(platform, server, lambda r, n: fault(r), 1, MANY)
        result = pull(platform)
        assert isinstance(result.error, RetryError), result.error
        assert len(server.requests) <= 1 + 5, "it went on asking"
        healed(platform, server)
        after = pull(platform, result.cursor)
        assert after.error is None
        same(result + after, expected)


def check_gzip(make: Make) -> None:
    expected, _ = undisturbed(make)
    platform = make()
    with on(platform) as server:
        with_fault(platform, server, lambda r, n: r.but(manner="gzip"), 0, MANY)
        same(pull(platform), expected)


def check_huge_body(make: Make) -> None:
    """A body beyond the limit is refused by name, and not read to its end."""
    platform = make()
    with on(platform) as server:
        with_fault(platform, server, lambda r, n: r.but(manner="endless"), 0, MANY)
        result = pull(platform)
        assert isinstance(result.error, FixError)
        assert "bytes" in result.error.message


def check_endless_paging(make: Make) -> None:
    """A listing without an end ends: by name, with what it gave landed once."""
    platform = make(quirk="endless")
    with on(platform) as server:
        result = pull(platform, max_pages=50)
        assert len(server.requests) < 120
        assert max(result.counts.values(), default=1) == 1
        named = [str(result.error or ""), *result.notes, *[r.reason for r in result.rejects]]
        assert any(named), "nothing is said"


def check_page_limit(make: Make) -> None:
    """A listing longer than one run may read goes on in the next."""
    expected, _ = undisturbed(make)
    platform = make()
    with on(platform):
        total = Result()
        for _ in range(40):
            total += pull(platform, total.cursor, max_pages=1)
            if total.counts == expected.counts:
                break
        same(total, expected)
        assert any("pages read" in note for note in total.notes)


def check_empty_answer(make: Make) -> None:
    platform = make(quirk="empty")
    with on(platform):
        result = pull(platform)
        assert result.error is None
        assert (result.landed, result.rejects) == ([], [])
        platform.quirk = ""
        expected, _ = undisturbed(make)
        same(pull(platform, result.cursor), expected)


def check_clock_skew(make: Make) -> None:
    """Our clock is hours off, and then set right: everything lands, and once."""
    expected, _ = undisturbed(make)
    for hours in (-3, 3):
        platform = make()
        platform.time.wall += timedelta(hours=hours)
        with on(platform):
            result = pull(platform)
            assert result.error is None
            platform.time.wall -= timedelta(hours=hours)
            later = pull(platform, result.cursor)
            assert (result + later).ids == expected.ids
            assert max((result + later).counts.values()) == 1
            assert pull(platform, later.cursor).landed == []


def check_unknown_fields(make: Make) -> None:
    """A field that nobody knows lands as received."""
    expected, _ = undisturbed(make)
    platform = make(quirk="unknown_fields")
    with on(platform):
        result = pull(platform)
        assert result.error is None
        assert result.ids == expected.ids
        assert not result.rejects


def check_damaged_records(make: Make, quirk: str) -> None:
    """A record without an id or with a wrong type goes to the rejects or lands; nothing else
    suffers."""
    expected, _ = undisturbed(make)
    platform = make(quirk=quirk)
    with on(platform):
        result = pull(platform)
        assert result.error is None, result.error
        missing = expected.ids - result.ids
        assert len(missing) <= 2
        if missing:
            assert result.rejects or len(result.ids) == len(expected.ids)
        assert all(reject.reason for reject in result.rejects)


def check_future_record(make: Make) -> None:
    """A record dated fifty years ahead does not hide what comes after it."""
    platform = make(quirk="future")
    with on(platform):
        first = pull(platform)
        assert first.error is None
        done = [walk["done"] for walk in first.cursor["walks"].values()]
        platform.quirk = ""
        second = pull(platform, first.cursor)
        assert second.error is None
        assert all(d is not None for d in done)
        expected, _ = undisturbed(make)
        assert (first + second).ids >= expected.ids


def check_budget(make: Make, folder: Path) -> None:
    """Never a request more than allowed, whatever goes wrong; the next month goes on."""
    expected, requests = undisturbed(make)
    for limit in range(requests + 1):
        platform = make()
        place = folder / str(limit)
        with on(platform) as server:
            result = pull(platform, folder=place, requests=limit)
            assert len(server.requests) <= limit
            if limit < requests:
                assert isinstance(result.error, StopError), result.error
                assert "budget.requests" in result.error.remedy
            again = pull(platform, result.cursor, folder=place, requests=limit)
            assert len(server.requests) <= limit
            (use,) = read_uses(place)
            assert use.requests == len(server.requests)
            platform.time.wall += timedelta(days=11)
            after = pull(platform, again.cursor, folder=place, requests=1_000)
            assert after.error is None, after.error
            assert (result + again + after).ids >= expected.ids


def check_budget_under_faults(make: Make, folder: Path) -> None:
    platform = make()
    with on(platform) as server:
        with_fault(platform, server, lambda r, n: Reply(503), 0, MANY)
        result = pull(platform, folder=folder, requests=3)
        assert len(server.requests) <= 3
        assert isinstance(result.error, StopError)


def check_refused_redirects(make: Make) -> None:
    """Redirects to files, scripts and private addresses are refused by name, and not followed."""
    for target in (
        "file:///etc/passwd",
        "javascript:alert(1)",
        "ftp://127.0.0.1/x",
        "http://127.0.0.2:9/x",
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:9/x",
        "http://[::ffff:10.0.0.1]/x",
    ):
        platform = make()
        with on(platform) as server:
            redirect = Reply(302, headers={"location": target})
            with_fault(platform, server, lambda r, n, redirect=redirect: redirect, 0, MANY)
            result = pull(platform)
            assert isinstance(result.error, FixError), (target, result.error)
            assert "refused" in result.error.message, result.error
            assert result.landed == []


def check_good_redirect_and_circle(make: Make) -> None:
    expected, _ = undisturbed(make)
    platform = make()
    with on(platform) as server:

        def once(reply: Reply, _number: int) -> Reply:
            request = server.requests[-1]
            query = "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in request.query.items())
            return Reply(307, headers={"location": f"{request.path}?{query}"})

        with_fault(platform, server, once, 0, 1)
        same(pull(platform), expected)
        platform = make()
    with on(platform) as server:
        with_fault(platform, server, once, 0, MANY)

        def circle(_reply: Reply, _number: int) -> Reply:
            return Reply(307, headers={"location": "/again"})

        server.respond = lambda request: circle(Reply(), 0)
        result = pull(platform)
        assert isinstance(result.error, FixError)
        assert "circles" in result.error.message


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def check_politeness(make: Make) -> None:
    """Every request names the project, and no two come closer than the settings say."""
    platform = make()
    with on(platform) as server:
        pull(platform, pace_s=2.0)
        assert all("social-signals" in r.headers["user-agent"] for r in server.requests)
        assert sum(platform.time.slept) >= 2.0 * (len(server.requests) - 1) - 1e-6


_SECRET_NAMES = ("TOKEN", "SECRET", "KEY", "PASSWORD")


def check_secrets_stay_out(make: Make) -> None:
    """A platform that repeats a key in its answers finds it neither landed nor in a message."""
    platform = make()
    secrets = [v for k, v in platform.environment.items() if k.endswith(_SECRET_NAMES)]
    with on(platform) as server:
        echo = json_reply({"detail": f"bad key {' '.join(secrets)}"}, 401)
        with_fault(platform, server, lambda r, n: echo, 0, MANY)
        result = pull(platform)
        assert not any(secret in str(result.error) for secret in secrets)
        assert not any(secret in json.dumps(result.cursor) for secret in secrets)


def check_one_missing_secret(make: Make) -> None:
    """A source that needs keys names the variable that is missing and asks nobody."""
    platform = make()
    if not platform.source.CREDENTIALS:
        return
    name = platform.source.CREDENTIALS[0]
    with on(platform) as server:
        if name not in platform.environment:
            return
        del platform.environment[name]
        result = pull(platform)
        assert isinstance(result.error, FixError)
        assert name in str(result.error)
        assert server.requests == []


def check_backfill(make: Make) -> None:
    """A window of the past is read whole, a stop in it made good, and the usual cursor left."""
    platform = make()
    with on(platform):
        first = pull(platform)
        window = {
            "since": platform.time.wall - timedelta(hours=2),
            "until": platform.time.wall - timedelta(minutes=8),
        }
        whole = pull(platform, context=window)
        assert whole.error is None, whole.error
        assert 0 < len(whole.ids) < len(first.ids)
        for stop_after in range(1, whole.filled):
            before = pull(platform, stop_after=stop_after, context=window)
            after = pull(platform, before.cursor, context=window)
            same(before + after, whole)
        beside = pull(platform, first.cursor, context=window)
        assert beside.error is None
        assert beside.cursor.get("walks") == first.cursor.get("walks")
