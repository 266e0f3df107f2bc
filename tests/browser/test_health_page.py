"""The pages on health and budgets in a real browser: quiet, readable by all, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import charts.report as report
from tests.browser.chromium import Visit
from tests.fake_ops import add_ops
from tests.fake_published import Planted, make_published
from tests.unit.test_report_health import troubled

pytestmark = pytest.mark.xdist_group("browser-health")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("health")
    published = make_published(folder / "published.duckdb", [Planted("lamp", "Lamp")], days=40)
    add_ops(published, troubled())
    return report.make(published, folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("anchor", ["health", "budgets"])
def test_the_page_keeps_to_itself_and_everyone_can_read_it(
    visit: Callable[..., Visit], file: Path, anchor: str, scheme: str
) -> None:
    seen = visit(color_scheme=scheme)
    page = seen.open(file, anchor)
    assert page.locator(f"#{anchor}").is_visible()
    seen.assert_quiet()
    assert seen.axe() == []


def test_a_finding_leads_to_its_details(visit: Callable[..., Visit], file: Path) -> None:
    seen = visit()
    page = seen.open(file, "health")
    page.get_by_role("link", name="Details: drift").first.click()
    assert page.evaluate("document.activeElement.id") == "health-drift"
    page.get_by_role("link", name="Details: budgets").first.click()
    assert page.locator("#budgets").is_visible()
    seen.assert_quiet()


def test_no_page_is_wider_than_a_telephone(visit: Callable[..., Visit], file: Path) -> None:
    seen = visit(viewport={"width": 360, "height": 740})
    page = seen.open(file, "health")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
