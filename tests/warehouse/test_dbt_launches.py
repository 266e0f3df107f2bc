"""GitHub in the warehouse, and the calendar that a user edits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project
from tests.warehouse.test_dbt_sales import STAGING, add_posts_side

PRODUCTS = (
    {"product_id": "acme", "product_name": "Acme", "brand": "Acme", "category": "tools"},
    {"product_id": "other", "product_name": "Other", "brand": "Other", "category": "tools"},
)
TERMS = (
    ("acme", "acme", "keyword"),
    ("acme", "Acme/Old", "repository"),
    ("other", "acme-2", "launch"),
    ("other", "o", "keyword"),
)
EVENTS = (
    ("sale", "promo", "Winter sale", "", "2026-01-06", "2026-01-07"),
    ("fire", "outage", "Warehouse fire", "acme", "2026-01-08", ""),
    ("new year", "holiday", "New Year", "", "2026-01-05", "2026-01-05"),
)
CHOSEN = (
    "products",
    "terms",
    "events",
    "dim_products",
    *STAGING,
    "path:models/intermediate/sales",
    "path:models/marts/commerce",
)


def repository(stars: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": 11,
        "full_name": "acme/one",
        "_tracked_as": "acme/old",
        "owner": {"login": "acme"},
        "stargazers_count": stars,
        "forks_count": 3,
        "subscribers_count": 2,
        "open_issues_count": 9,
        "created_at": "2020-01-01T00:00:00Z",
        **changes,
    }


def release(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "_repository": "11",
        "tag_name": f"v{number}",
        "draft": False,
        "prerelease": False,
        "published_at": "2026-01-07T09:00:00Z",
        **changes,
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("launches"), products=PRODUCTS, terms=TERMS, events=EVENTS
    )
    for day, stars in ((5, 100), (6, 104), (8, 104)):
        fetched = f"2026-01-{day:02d}T10:00:00Z"
        found = repository(7, id=12, full_name="else/where", _tracked_as=None)
        project.land("github", "repositories", [repository(stars), found], fetched_at=fetched)
    counted = {"_repository": "11", "total_count": 4, "incomplete_results": False}
    project.land("github", "issue_counts", [counted])
    project.land("github", "issue_counts", [{**counted, "incomplete_results": True}])
    project.land(
        "github",
        "releases",
        [
            release(1),
            release(2, draft=True, published_at=None),
            release(3, prerelease=True),
            release(4, _repository="12"),
            release(5, published_at="no day"),
        ],
    )
    nodes = (("21", "acme-9", "ACME 2.1"), ("22", "acme-2", "Acme"), ("23", "x", "Acme for Slack"))
    launches = [
        {
            "id": number,
            "slug": slug,
            "name": name,
            "createdAt": "2026-01-06T23:00:00Z",
            "featuredAt": "2026-01-07T08:01:00Z" if number == "21" else None,
            "votesCount": 5,
            "commentsCount": 0,
            "topics": {"edges": [{"node": {"slug": "tools"}}]},
        }
        for number, slug, name in nodes
    ]
    project.land("producthunt", "posts", launches, fetched_at="2026-01-08T10:00:00Z")
    project.land("github", "releases", [release(1, tag_name="v1.0")], run_id="run-2")
    add_posts_side(project)
    project.build("--select", *CHOSEN, "--indirect-selection", "cautious")
    return project


def test_counts_become_metrics_of_the_product_that_the_term_means(built: TinyProject) -> None:
    """The repository has moved since: its term names it as it was called."""
    rows = built.query(
        "select date_day::varchar, metric, metric_value from intermediate.int_metrics__daily"
        " where product_id = 'acme' order by all"
    )
    assert rows == [
        ("2026-01-05", "github_forks", 3.0),
        ("2026-01-05", "github_open_issues", 4.0),
        ("2026-01-05", "github_stars", 100.0),
        ("2026-01-05", "github_watchers", 2.0),
        ("2026-01-06", "github_forks", 3.0),
        ("2026-01-06", "github_new_forks", 0.0),
        ("2026-01-06", "github_new_stars", 4.0),
        ("2026-01-06", "github_new_watchers", 0.0),
        ("2026-01-06", "github_stars", 104.0),
        ("2026-01-06", "github_watchers", 2.0),
        ("2026-01-08", "github_forks", 3.0),
        ("2026-01-08", "github_stars", 104.0),
        ("2026-01-08", "github_watchers", 2.0),
        ("2026-01-08", "launch_comments", 0.0),
        ("2026-01-08", "launch_votes", 5.0),
    ]


def test_gains_are_outcomes_and_counts_that_stand_are_not(built: TinyProject) -> None:
    outcomes = {
        name for (name,) in built.query("select metric from intermediate.int_daily__outcomes")
    }
    assert {"github_new_stars", "github_new_forks"} <= outcomes
    assert not {"github_stars", "github_forks", "github_open_issues"} & outcomes


def test_events_of_all_sources_are_one_calendar(built: TinyProject) -> None:
    rows = built.query(
        "select event_id, source_name, event_kind, product_id, event_name, starts_date::varchar,"
        " ends_date::varchar, is_mapped from intermediate.int_calendar__events order by all"
    )
    day = "2026-01-07"
    assert rows == [
        ("catalogue|fire", "catalogue", "outage", "acme", "Warehouse fire", "2026-01-08",
         "2026-01-08", True),
        ("catalogue|new year", "catalogue", "holiday", None, "New Year", "2026-01-05",
         "2026-01-05", True),
        ("catalogue|sale", "catalogue", "promotion", None, "Winter sale", "2026-01-06", day, True),
        ("github|1", "github", "release", "acme", "one v1.0", day, day, True),
        ("github|4", "github", "release", None, "where v4", day, day, False),
        ("producthunt|21", "producthunt", "launch", "acme", "ACME 2.1 on Product Hunt", day, day,
         True),
        ("producthunt|22", "producthunt", "launch", "other", "Acme on Product Hunt", "2026-01-06",
         "2026-01-06", True),
        ("producthunt|23", "producthunt", "launch", None, "Acme for Slack on Product Hunt",
         "2026-01-06", "2026-01-06", False),
    ]  # fmt: skip


def test_the_edited_calendar_is_the_one_that_the_statistics_use(built: TinyProject) -> None:
    rows = built.query(
        "select product_id, string_agg(strftime(date_day, '%d'), ' ' order by date_day)"
        " filter (where is_promo), string_agg(strftime(date_day, '%d'), ' ' order by date_day)"
        " filter (where is_holiday) from intermediate.int_calendar__days group by all order by all"
    )
    assert rows == [("acme", "06 07", "05"), ("other", "06 07", "05")]
    shop = built.query(
        "select date_day::varchar from marts.dim_dates where is_shop_promo or is_holiday order by 1"
    )
    assert shop == [("2026-01-05",), ("2026-01-06",), ("2026-01-07",)]


def test_unit_tests_of_the_models_hold(built: TinyProject) -> None:
    printed = built.dbt("test", "--select", "test_type:unit,path:models/intermediate/launches")
    assert "PASS=" in printed
    assert "PASS=0" not in printed


def test_a_second_build_ends_where_a_full_refresh_does(built: TinyProject) -> None:
    def everything() -> list[Any]:
        tables = ("repositories", "issue_counts", "releases", "stars")
        return [built.query(f"select * from staging.stg_github__{t} order by all") for t in tables]

    built.land("github", "repositories", [repository(105)], fetched_at="2026-01-09T10:00:00Z")
    star = {"_repository": "11", "starred_at": "2026-01-05T10:00:00Z", "count": 2}
    built.land("github", "stars", [star])
    built.land("github", "stars", [{**star, "count": 1}, star], fetched_at="2026-01-06T10:00:00Z")
    built.build("--select", "staging.github")
    increments = everything()
    built.build("--select", "staging.github", "--full-refresh")
    assert everything() == increments
    assert len(increments[3]) == 2
