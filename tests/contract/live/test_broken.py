"""The suite bites: a source that was broken on purpose fails it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from extract import hackernews
from extract._budget import Ledger
from extract._state import Seen
from extract.base import ExtractError, Page, Record
from tests.contract.live import suite
from tests.contract.live.platforms import HackerNews

Pull = Callable[[Any, Any, Any], Iterator[Page]]


def broken(pull: Pull) -> Any:
    source = SimpleNamespace(pull=pull, CREDENTIALS=())
    return partial(HackerNews, source=source)


def cursor_before_the_write(settings: Any, cursor: Any, context: Any) -> Iterator[Page]:
    """Each page's records come with the cursor of the page after it."""
    waiting: Page | None = None
    for page in hackernews.pull(settings, cursor, context):
        if waiting is not None:
            yield dataclasses.replace(waiting, cursor=page.cursor)
        waiting = page
    if waiting is not None:
        yield waiting


def without_the_last_of_a_page(settings: Any, cursor: Any, context: Any) -> Iterator[Page]:
    for page in hackernews.pull(settings, cursor, context):
        yield dataclasses.replace(page, records=page.records[:-1])


def silent_about_failures(settings: Any, cursor: Any, context: Any) -> Iterator[Page]:
    try:
        yield from hackernews.pull(settings, cursor, context)
    except ExtractError:
        return


def from_the_beginning_again(settings: Any, cursor: Any, context: Any) -> Iterator[Page]:
    yield from hackernews.pull(settings, {}, context)


@pytest.mark.parametrize(
    ("pull", "check"),
    [
        (cursor_before_the_write, suite.check_kill_and_resume),
        (from_the_beginning_again, suite.check_kill_and_resume),
        (from_the_beginning_again, suite.check_second_pull_lands_nothing),
        (silent_about_failures, partial(suite.check_stopping, kind="unauthorised_401")),
        (silent_about_failures, partial(suite.check_passing, kind="error_503")),
    ],
)
def test_a_broken_source_fails(pull: Pull, check: Callable[[Any], None]) -> None:
    with pytest.raises(AssertionError):
        check(broken(pull))


def test_a_source_that_drops_a_record_fails() -> None:
    expected, _ = suite.undisturbed(HackerNews)
    platform = broken(without_the_last_of_a_page)()
    with suite.on(platform), pytest.raises(AssertionError):
        suite.same(suite.pull(platform), expected)


def test_a_source_that_lands_everything_again_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(self: Seen, record: Record) -> bool:
        return True

    monkeypatch.setattr(Seen, "is_new", always)
    with pytest.raises(AssertionError):
        suite.check_second_pull_lands_nothing(HackerNews)


def test_a_source_that_steps_over_a_second_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three items share a second; an exclusive boundary would lose some of them."""
    expected, _ = suite.undisturbed(HackerNews)
    right = hackernews._next_slice

    def exclusive(*given: Any) -> Any:
        following, notes = right(*given)
        if following is not None:
            following = {**following, "ceiling": following["ceiling"] - 1}
        return following, notes

    monkeypatch.setattr(hackernews, "_next_slice", exclusive)
    with suite.on(platform := HackerNews()), pytest.raises(AssertionError):
        suite.same(suite.pull(platform), expected)


def test_a_source_that_does_not_ask_its_budget_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Ledger, "_check", lambda *_args: None)
    with pytest.raises(AssertionError):
        suite.check_budget(HackerNews, tmp_path)


@pytest.mark.filterwarnings("ignore:A test tried to use")
def test_a_transport_that_follows_any_redirect_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract._addresses.is_public", lambda _address: True)
    # Either the check sees no refusal, or the connection itself meets the tests' own block.
    with pytest.raises((AssertionError, RuntimeError)):
        suite.check_refused_redirects(HackerNews)
