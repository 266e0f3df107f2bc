"""When the webhook is told, what it is told, and that it never gets in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.alerts import Alert, Occasion, alert_of_lock, alert_of_settings, occasion_of, send
from pipeline.paths import TargetPaths
from pipeline.settings import SettingsError
from tests.contract.live.server import FakeClock, LocalServer, Reply, serving
from warehouse.lock import run_lock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    with serving(lambda request: Reply(200, b"ok"), FakeClock()) as server:
        monkeypatch.setenv("SOCIAL_SIGNALS_WEBHOOK_URL", f"{server.url}/T0/secret-path")
        yield server


def bodies(server: LocalServer) -> list[dict[str, object]]:
    return [json.loads(request.body) for request in server.requests]


def test_an_alert_says_what_and_where(hook: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_SIGNALS_X_BEARER_TOKEN", "very-secret-token")
    problems = [f"problem {number} very-secret-token" for number in range(7)]
    assert send(Alert("partial", "shop", 3, problems, "r1")) == ""
    (body,) = bodies(hook)
    assert body["text"] == body["content"]
    assert str(body["text"]).startswith(
        "Social Signals: target shop ended in part (exit code 3): problem 0 ***; problem 1"
    )
    assert str(body["text"]).endswith("; and 2 more")
    assert (body["occasion"], body["run_id"], body["exit_code"]) == ("partial", "r1", 3)
    assert "very-secret" not in json.dumps(body)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(500, b"no"), "refused with status 500"),
        (Reply(302, b"", {"location": "http://elsewhere.example/"}), "refused with status 302"),
    ],
)
def test_a_refusal_is_told_without_the_address(hook: LocalServer, reply: Reply, said: str) -> None:
    hook.respond = lambda request: reply
    why_not = send(Alert("failed", "shop", 1))
    assert said in why_not
    assert "secret-path" not in why_not
    assert len(hook.requests) == 1


def test_an_address_that_cannot_be_used_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for address in ("http://hooks.example/secret-path", "file:///secret-path", "secret-path"):
        monkeypatch.setenv("SOCIAL_SIGNALS_WEBHOOK_URL", address)
        assert "no https address" in send(Alert("failed", "shop", 1))
    monkeypatch.setenv("SOCIAL_SIGNALS_WEBHOOK_URL", "http://127.0.0.1:1/secret-path")
    why_not = send(Alert("failed", "shop", 1), timeout=2)
    assert "could not be sent" in why_not
    assert "secret-path" not in why_not
    monkeypatch.delenv("SOCIAL_SIGNALS_WEBHOOK_URL")
    assert send(Alert("failed", "shop", 1)) == ""


def history(*statuses: str, hours: float = 1.0) -> list[tuple[datetime, str]]:
    """Earlier runs, the newest first, one every `hours` before noon."""
    return [
        (NOON - timedelta(hours=hours * (number + 1)), status)
        for number, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("status", "earlier", "told"),
    [
        ("succeeded", [], None),
        ("succeeded", ["succeeded"], None),
        ("succeeded", ["failed", "succeeded"], "recovered"),
        ("succeeded", ["interrupted"], None),
        ("failed", [], "failed"),
        ("failed", ["succeeded"], "failed"),
        ("failed", ["partial"], "failed"),
        ("failed", ["failed"], None),
        ("partial", ["partial"] * 23, None),
        ("partial", ["partial"] * 24, "partial"),
        ("partial", ["partial"] * 25, None),
        ("partial", ["partial"] * 48, "partial"),
        ("empty", ["failed"], "empty"),
    ],
)
def test_trouble_is_told_when_it_begins_and_once_a_day(
    status: str, earlier: list[str], told: Occasion | None
) -> None:
    found = occasion_of(status, history(*earlier), started_at=NOON, repeat_hours=24)
    assert found == told


def test_a_run_that_holds_the_lock_for_hours_is_told_once(
    hook: LocalServer, tmp_path: Path
) -> None:
    paths = TargetPaths(tmp_path, "shop")
    times = {"stuck_hours": 6.0, "repeat_hours": 24.0}
    with run_lock(paths.lock, command="build", started_at=NOON):
        for hours in (1, 5.9):
            assert alert_of_lock(paths, now=NOON + timedelta(hours=hours), **times) == ""
        assert hook.requests == []
        for hours in (6, 7, 23):
            assert alert_of_lock(paths, now=NOON + timedelta(hours=hours), **times) == ""
        assert len(hook.requests) == 1
        alert_of_lock(paths, now=NOON + timedelta(hours=24), **times)
        assert len(hook.requests) == 2
    assert "(build) has been at work for 6 hours" in str(bodies(hook)[0]["text"])


def test_wrong_settings_are_told_because_no_run_begins(hook: LocalServer) -> None:
    alert_of_settings(SettingsError("shop.toml: [sourcs]: unknown table."))
    assert "unknown table" in str(bodies(hook)[0]["text"])
