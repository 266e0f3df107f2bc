"""What strangers write stays text in the report: nothing of it runs, loads, hides or turns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from charts.report import make
from tests.browser.chromium import Visit
from tests.browser.hostile import ATTACKS, LONG, make_hostile

pytestmark = pytest.mark.xdist_group("browser-hostile")

Visits = Callable[..., Visit]
# Elements and attributes that nothing on the page has by itself.
STRANGE = """() => [...document.querySelectorAll('*')].filter(one =>
    ['IMG', 'IFRAME', 'OBJECT', 'EMBED', 'BASE', 'LINK', 'AUDIO', 'VIDEO', 'FOREIGNOBJECT', 'IMAGE']
        .includes(one.tagName.toUpperCase())
    || [...one.attributes].some(its => its.name.startsWith('on'))
).map(one => one.outerHTML.slice(0, 200))"""
TURNING = set(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\x00\x1b"
)


@pytest.fixture(scope="module", params=[True, False], ids=["simulated", "live"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    published = make_hostile(folder / "published.duckdb", is_simulated=request.param)
    return make(published, folder / "report.html", target="</title><script>alert(1)</script>")


def test_nothing_of_it_runs_or_loads_anything(visit: Visits, report: Path) -> None:
    seen = visit()
    page = seen.open(report)
    ids = page.eval_on_selector_all(".page", "pages => pages.map(one => one.id)")
    assert len(ids) == len(set(ids)) > len(ATTACKS)
    for anchor in ids:
        seen.open(report, anchor)
        assert page.locator(f"[id='{anchor}']").is_visible()
        page.eval_on_selector_all(
            ".page.on *", "all => all.forEach(one => one.dispatchEvent(new Event('mouseover')))"
        )
    assert page.evaluate(STRANGE) == []
    assert page.locator("script").count() == 2
    assert page.locator("style").count() == 1
    assert page.evaluate("'__proto__' in window && Object.keys(Object.prototype).length") == 0
    seen.assert_quiet()


def test_links_lead_within_the_page_or_to_the_platform(visit: Visits, report: Path) -> None:
    page = visit().open(report)
    links = page.eval_on_selector_all(
        "a[href], svg [*|href], form[action]", "all => all.map(one => one.getAttribute('href'))"
    )
    outside = {link for link in links if not link.startswith("#")}
    beside = {"published.duckdb"}
    assert {urlsplit(link).netloc for link in outside - beside} <= {"x.com"}
    assert all(link.startswith("https://x.com/") for link in outside - beside)
    assert all("onclick" not in link and "example" not in link for link in outside)


def test_all_of_it_can_be_read(visit: Visits, report: Path) -> None:
    seen = visit()
    names = seen.open(report).locator(".card h4").all_inner_texts()
    for attack in ATTACKS[:7]:
        assert any(name.endswith(attack[:80].rstrip()) or attack.startswith(name[:-1])
                   for name in names), attack  # fmt: skip
    whole = seen.page.evaluate("document.documentElement.textContent")
    assert "{{7*7}} ${7*7}" in whole
    assert "49 49" not in whole
    assert TURNING.isdisjoint(whole)
    assert f"{'W' + LONG[1:40]}" in whole
    assert LONG not in whole
    assert "</title><script>alert(1)</script>" in seen.page.title()


@pytest.mark.parametrize("width", [360, 1280])
def test_it_does_not_break_the_page(visit: Visits, report: Path, width: int) -> None:
    seen = visit(viewport={"width": width, "height": 800})
    page = seen.open(report)
    for anchor in page.eval_on_selector_all(".page", "pages => pages.map(one => one.id)"):
        seen.open(report, anchor)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, anchor
        assert page.locator("header").is_visible()
        # A tower of marks or a huge letter would reach far beyond its own line.
        assert page.locator("header").evaluate("one => one.offsetHeight") < 400
    assert seen.axe() == []
    seen.assert_quiet()
