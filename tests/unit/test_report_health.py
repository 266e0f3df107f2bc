"""The report's pages on health and budgets: what they show, and that nothing breaks out of them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import charts.report as report
from tests.fake_ops import add_ops
from tests.fake_published import Planted, make_published
from tests.unit.test_health import HOSTILE, NOW, TODAY, budget, result, run, stream, volume
from tests.unit.test_report import Page

NASTY = "<img src=x onerror=alert(1)>'\"`{{ 7 * 7 }}</section></main>\u202e" + "W" * 300


def made(folder: Path, tables: dict[str, list[dict[str, Any]]] | None, **options: Any) -> str:
    file = make_published(folder / "published.duckdb", [Planted("lamp", "Lamp")], days=40)
    if tables is not None:
        add_ops(file, {"ops_runs": [run("r9", status="running")]} | tables, **options)
    return report.make(file, folder / "report.html").read_text(encoding="utf-8")


def section(text: str, anchor: str) -> str:
    start = text.index(f'<section class="page" id="{anchor}"')
    return text[start : text.index("</section>", start)]


def troubled() -> dict[str, list[dict[str, Any]]]:
    usual = {"usual_rows": 100.0, "low_rows": 50.0, "high_rows": 200.0}
    days = [volume(ago, 100, **usual, volume_state="usual") for ago in range(20, 1, -1)]
    return {
        "ops_freshness": [
            stream(cadence_hours=24.0),
            stream(source="rss", stream="entries", freshness_state="stale", age_hours=240.0,
                   is_warning=True),
            stream(source="bluesky", freshness_state="off", last_fetched_at=None),
            stream(stream="users", freshness_state="off", last_fetched_at=None),
        ],
        "ops_volumes": [*days, volume(1, 7, **usual, volume_state="low")],
        "ops_rejects": [
            {"source": "x", "stream": "posts", "reason": NASTY, "rejected_date": TODAY,
             "reject_count": 3, "line_count": 4, "example_file": NASTY, "example_line_no": 9},
        ],
        "ops_schema_drift": [
            {"source": "x", "stream": "posts", "field_path": NASTY, "drift": "vanished",
             "earlier_type": "string", "earlier_share_ratio": 0.9, "recent_share_ratio": 0.0,
             "first_seen_date": TODAY, "last_seen_date": TODAY, "recent_date": TODAY,
             "is_warning": True},
        ],
        "ops_test_results": [result("fine", "pass"), result(NASTY, "warn", failures_count=4)],
        "ops_steps": [
            {"run_id": f"r{n}", "step": "build", "step_status": "done",
             "duration_seconds": 60.0 + n, "usual_seconds": 61.0,
             "highest_usual_seconds": 122.0, "is_slow": False,
             "started_at": NOW - timedelta(days=9 - n)}
            for n in range(3, 10)
        ],
        "ops_budget": [budget(950, 1000), budget(20, 20, unit="spent"), budget(5, None, unit="usd"),
                       budget(900, 1000, month_date=date(2026, 10, 1))],
        "ops_runs": [run("r9", status="running"), run("r8", days_ago=1, message=HOSTILE,
                                                      status="failed")],
    }  # fmt: skip


def test_what_is_wrong_stands_first_and_leads_to_its_details(tmp_path: Path) -> None:
    text = made(tmp_path, troubled())
    health = section(text, "health")
    words = Page(health + "</section>").words()
    assert "1 thing is broken and 7 things need a look." in words
    assert words.index("rss/entries is stale") < words.index("7 records on 19 Nov 2026")
    assert "x/posts ✓ fresh 1 hour before 24 hours" in words
    assert "Switched off or not set up: bluesky, x/users." in words
    assert "1 of 2 tests of the newest build passed, 20 Nov 2026 06:30 UTC." in words
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    links = set(re.findall(r'href="#([^"]+)"', health))
    assert len(links) >= 7
    assert links <= ids


def test_small_pictures_say_what_they_show(tmp_path: Path) -> None:
    health = section(made(tmp_path, troubled()), "health")
    labels = re.findall(r'<svg class="spark"[^>]*aria-label="([^"]+)"', health)
    assert labels == [
        "31 Oct 2026 to 19 Nov 2026: 7 to 100 records a day, 1 day with fewer than usual",
        "7 runs: 63.0 to 69.0 seconds",
    ]
    assert health.count('<circle class="mark"') == 1


def test_budgets_show_what_is_left_and_where_the_month_ends(tmp_path: Path) -> None:
    words = Page(section(made(tmp_path, troubled()), "budgets") + "</section>").words()
    assert "x posts 950 1,000 50 about 1,479 at this pace" in words
    assert "x usd 5 no limit – – about 7.78 at this pace" in words
    assert "The budget of x, spent is used up for this month." in words
    assert "Earlier months" in words
    assert "Oct 2026 x posts 900 1,000" in words


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    text = made(tmp_path, troubled())
    page = Page(text)
    assert page.all("img") == []
    assert len(page.all("script")) == 2
    assert "onerror=alert(1)" in page.words()
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert "\u202e" not in text
    assert "7 * 7" in page.words()


def test_a_file_of_an_older_version_says_what_it_does_not_know(tmp_path: Path) -> None:
    health = section(made(tmp_path, None), "health")
    words = Page(health + "</section>").words()
    assert "This file tells nothing of its own health: an older version published it." in words
    assert words.count("This file does not tell: an older version published it.") == 6
    assert "<table" not in health


def test_a_target_where_nothing_ever_ran_has_its_pages(tmp_path: Path) -> None:
    text = made(tmp_path, {"ops_runs": []})
    words = Page(section(text, "health") + "</section>").words()
    assert "Nothing needs a look." in words
    assert "No source has brought anything yet." in words
    assert "No build has noted its tests yet." in words
    assert (
        "No live source used anything this month."
        in Page(section(text, "budgets") + "</section>").words()
    )
