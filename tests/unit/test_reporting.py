"""What a run tells: for people, for journals and for programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline import console
from pipeline.console import Level, LogForm, Meter, name_run, speak, tell

AT = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    speak(LogForm.TERMINAL, now=lambda: datetime.now(UTC))


def test_lines_are_one_an_event_and_name_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    speak(LogForm.LINES, now=lambda: AT)
    name_run(target="shop", run_id="r1")
    tell("extract", "rss: 3 records", seconds=1.5)
    tell("problem", "first line\nsecond \x1b[31mline", level=Level.ERROR)
    said = capsys.readouterr()
    assert said.out == "2026-03-01T04:05:06Z INFO shop r1 extract: rss: 3 records\n"
    assert said.err.startswith("2026-03-01T04:05:06Z ERROR shop r1 problem: first line second ")
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err


def test_json_holds_facts_beside_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    speak(LogForm.JSON, now=lambda: AT)
    name_run(target="shop", run_id="r1")
    tell("verdicts", "1 claimed", products={"none": 3}, seconds=0.1, nothing=None)
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-03-01T04:05:06Z",
        "level": "info",
        "event": "verdicts",
        "target": "shop",
        "run_id": "r1",
        "message": "1 claimed",
        "products": {"none": 3},
        "seconds": 0.1,
    }


def test_people_get_the_words_they_are_used_to(capsys: pytest.CaptureFixture[str]) -> None:
    speak(LogForm.TERMINAL)
    tell("note", "a gap of [red] 2 days", level=Level.WARNING)
    tell("problem", "x stopped", level=Level.ERROR)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "note: a gap of [red] 2 days\nproblem: x stopped\n"


@pytest.mark.parametrize("form", list(LogForm))
def test_secrets_stay_out_of_every_form(
    form: LogForm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 'sk-"quoted"-\\value'
    monkeypatch.setenv("SOCIAL_SIGNALS_SHOP_KEY", secret)
    monkeypatch.setenv("SOCIAL_SIGNALS_WEBHOOK_URL", "https://hooks.example/T0/secret-path")
    speak(form, now=lambda: AT)
    tell("problem", f"refused {secret}", level=Level.ERROR, said=[secret], more={"a": secret})
    tell("note", "posted to https://hooks.example/T0/secret-path", files={"a": "b"})
    logging.getLogger("library").warning("token %s", secret)
    said = capsys.readouterr()
    everything = said.out + said.err
    assert everything
    for hidden in ("quoted", "secret-path"):
        assert hidden not in everything


def test_records_of_libraries_take_the_form_too(capsys: pytest.CaptureFixture[str]) -> None:
    speak(LogForm.JSON, now=lambda: AT)
    logging.getLogger("library").warning("odd")
    content = json.loads(capsys.readouterr().err)
    assert (content["event"], content["level"], content["logger"]) == ("log", "warning", "library")


def test_progress_is_an_event_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(LogForm.JSON, now=lambda: AT)
    monkeypatch.setattr(console, "PLAIN_INTERVAL_SECONDS", 0.0)
    Meter("build", None).update(5, 10)
    content = json.loads(capsys.readouterr().err)
    assert (content["event"], content["step"], content["done"], content["total"]) == (
        "progress",
        "build",
        5,
        10,
    )
