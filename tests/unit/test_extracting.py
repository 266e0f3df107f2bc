"""Pulling: what is durable when, and what a failing source leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from extract.base import Context, Cursor, ExtractError, Page, Record, Reject, SourceSettings
from pipeline import extracting
from pipeline.settings import Settings, SettingsError, load_settings
from warehouse.commits import list_landed, read_cursor

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


class CountingSource:
    """A source of numbered records: `per_page` a page, failing where it is told to."""

    NAME = "counting"
    STREAMS = (("x", "posts"),)
    IS_SIMULATED = True
    Settings = SourceSettings

    def __init__(self, pages: int, *, fails_at: int | None = None, per_page: int = 2) -> None:
        self.pages, self.fails_at, self.per_page = pages, fails_at, per_page

    def pull(self, settings: Any, cursor: Cursor, context: Context) -> Iterator[Page]:
        for page in range(int(cursor.get("next", 0)), self.pages):
            if page == self.fails_at:
                raise ExtractError("The platform is away.", "Try again later.")
            records = [
                Record("x/posts", f"{page}-{n}", {"id": f"{page}-{n}"}, NOW)
                for n in range(self.per_page)
            ]
            rejects = [Reject("x/posts", "{", "not JSON")] if page == 0 else []
            yield Page(records, {"next": page + 1}, rejects)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    file.write_text("[target]\nsimulated = true\n", encoding="utf-8")
    loaded = load_settings(file)
    return loaded.model_copy(
        update={"sources": {"counting": SourceSettings(), "other": SourceSettings()}}
    )


def pull(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, source: CountingSource, run_id: str = "r1"
) -> list[extracting.Pulled]:
    other = CountingSource(1)
    monkeypatch.setattr(extracting, "SOURCES", {"counting": source, "other": other})
    return extracting.extract(settings, run_id=run_id, now=lambda: NOW)


def landed_rows(settings: Settings) -> int:
    return sum(file.rows for file in list_landed(settings.paths.landing) if file.kind == "records")


def test_records_rejects_and_cursor_become_durable_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled, _ = pull(settings, monkeypatch, CountingSource(3))
    assert (pulled.records, pulled.rejects, pulled.error) == (6, 1, None)
    assert read_cursor(settings.paths.landing, "counting") == {"next": 3}
    assert landed_rows(settings) == 6 + 2
    kinds = [file.kind for file in list_landed(settings.paths.landing)]
    assert kinds.count("rejects") == 2


def test_a_failing_source_keeps_its_pages_and_does_not_stop_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, other = pull(settings, monkeypatch, CountingSource(5, fails_at=2))
    assert failed.error is not None
    assert failed.records == 4
    assert read_cursor(settings.paths.landing, "counting") == {"next": 2}
    assert other.error is None
    assert other.records == 2


def test_the_next_pull_takes_up_where_the_last_one_stopped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(settings, monkeypatch, CountingSource(5, fails_at=2))
    again, other = pull(settings, monkeypatch, CountingSource(5), run_id="r2")
    assert again.records == 6
    assert other.records == 0
    assert landed_rows(settings) == 10 + 2


def test_a_crash_between_pages_leaves_the_cursor_at_what_is_durable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(CountingSource):
        def pull(self, settings: Any, cursor: Cursor, context: Context) -> Iterator[Page]:
            for page in super().pull(settings, cursor, context):
                if page.cursor["next"] == 4:
                    raise KeyboardInterrupt
                yield page

    monkeypatch.setattr(extracting, "COMMIT_RECORDS", 4)
    with pytest.raises(KeyboardInterrupt):
        pull(settings, monkeypatch, Crashing(9))
    assert read_cursor(settings.paths.landing, "counting") == {"next": 2}
    assert landed_rows(settings) == 4


@pytest.mark.parametrize(
    ("name", "message"), [("nosuch", "no source 'nosuch'"), ("absent", "not set up")]
)
def test_a_source_that_is_not_there_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr(extracting, "SOURCES", {"absent": SimpleNamespace()})
    with pytest.raises(SettingsError, match=message):
        extracting.extract(settings, run_id="r", now=lambda: NOW, only=(name,))
