"""Every check of the suite on every source, and on a source that was broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.live import suite
from tests.contract.live.platforms import PLATFORMS, Platform

Make = type[Platform]


@pytest.fixture(params=sorted(PLATFORMS))
def make(request: pytest.FixtureRequest) -> Make:
    return PLATFORMS[request.param]


@pytest.fixture(params=sorted(name for name, p in PLATFORMS.items() if p.has_pages))
def paged(request: pytest.FixtureRequest) -> Make:
    return PLATFORMS[request.param]


@pytest.mark.parametrize(
    "check",
    [
        suite.check_second_pull_lands_nothing,
        suite.check_kill_and_resume,
        suite.check_kill_at_every_page,
        suite.check_edit_between_pages,
        suite.check_gzip,
        suite.check_huge_body,
        suite.check_empty_answer,
        suite.check_clock_skew,
        suite.check_unknown_fields,
        suite.check_refused_redirects,
        suite.check_politeness,
        suite.check_secrets_stay_out,
        suite.check_one_missing_secret,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_weather(make: Make, check: object) -> None:
    check(make)  # type: ignore[operator]


@pytest.mark.parametrize(
    "check",
    [
        suite.check_replayed_page,
        suite.check_endless_paging,
        suite.check_page_limit,
        suite.check_future_record,
        suite.check_new_records_after_a_stop,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_paging(paged: Make, check: object) -> None:
    check(paged)  # type: ignore[operator]


@pytest.mark.parametrize("name", sorted(n for n, p in PLATFORMS.items() if p.follows_redirects))
def test_redirects(name: str) -> None:
    suite.check_good_redirect_and_circle(PLATFORMS[name])


@pytest.mark.parametrize("name", sorted(n for n, p in PLATFORMS.items() if p.has_backfill))
def test_backfill(name: str) -> None:
    suite.check_backfill(PLATFORMS[name])


@pytest.mark.parametrize("quirk", ["duplicated", "reordered"])
def test_pages_out_of_order(make: Make, quirk: str) -> None:
    suite.check_quirk_lands_the_same(make, quirk)


@pytest.mark.parametrize("quirk", ["missing_fields", "wrong_types"])
def test_damaged_records(make: Make, quirk: str) -> None:
    suite.check_damaged_records(make, quirk)


@pytest.mark.parametrize("kind", ["epoch", "seconds", "iso", "http_date", "none", "past"])
def test_rate_limits(make: Make, kind: str) -> None:
    suite.check_rate_limit(make, kind)


@pytest.mark.parametrize("kind", ["epoch", "iso"])
@pytest.mark.parametrize("hours", [-5, 5])
def test_rate_limits_between_clocks_that_differ(make: Make, kind: str, hours: int) -> None:
    suite.check_rate_limit(make, kind, skew_hours=hours)


def test_endless_rate_limit(make: Make, tmp_path: Path) -> None:
    suite.check_endless_rate_limit(make, tmp_path)


@pytest.mark.parametrize("kind", list(suite.STOPPING))
def test_stopping(make: Make, kind: str) -> None:
    suite.check_stopping(make, kind)


@pytest.mark.parametrize("kind", list(suite.PASSING))
def test_passing(make: Make, kind: str) -> None:
    suite.check_passing(make, kind)


def test_budget(make: Make, tmp_path: Path) -> None:
    suite.check_budget(make, tmp_path)


def test_budget_under_faults(make: Make, tmp_path: Path) -> None:
    suite.check_budget_under_faults(make, tmp_path)


def test_the_whole_world_lands(make: Make) -> None:
    """The other checks compare with this pull, so it is counted by hand."""
    expected, _ = suite.undisturbed(make)
    assert len(expected.landed) == make.landed
