"""A report of a thousand products opens at once, and its products are found in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import expect

from charts.report import make
from tests.browser.chromium import Visit
from tests.fake_published import NINE, make_published

pytestmark = pytest.mark.xdist_group("browser-report")

# The page is drawn within a second on a free core; cores of a build are seldom free.
MOST_SECONDS = 3.0
TIMES = """() => ({
    ready: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000,
    painted: performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000,
})"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine products, 111 times each under names of their own, and one more."""
    folder = tmp_path_factory.mktemp("thousand")
    published = make_published(folder / "published.duckdb", NINE, days=21)
    with duckdb.connect(str(published)) as connection:
        tables = connection.execute(
            "select table_name from duckdb_columns()"
            " where schema_name = 'marts' and column_name = 'product_id'"
        ).fetchall()
        for (table,) in tables:
            named = "product_name || ' ' || copy as product_name" if table == "dim_products" else ""
            replaced = f"product_id || '-' || copy as product_id{named and ', ' + named}"
            connection.execute(
                f"insert into marts.{table} select * replace ({replaced}) from ("
                f"select one.*, copy from marts.{table} as one, range(1, 112) as copies(copy)"
                " where copy < 111 or product_id = 'chatty')"
                .replace("select * replace", "select * exclude (copy) replace")
            )  # fmt: skip
    return make(published, folder / "report.html")


def test_a_thousand_products_open_at_once(visit: Callable[..., Visit], report: Path) -> None:
    seen = visit()
    page = seen.open(report)
    expect(page.locator(".card").first).to_be_visible()
    times = page.evaluate(TIMES)
    assert max(times.values()) < MOST_SECONDS, times
    assert page.locator(".card").count() < 200
    seen.open(report, "products")
    found = page.locator("#found")
    expect(found).to_have_text("1,000 of 1,000 products; the first 100 are shown.")
    assert page.locator("#table tbody tr").count() == 100
    page.get_by_label("Search").fill("fraudshield 77")
    expect(found).to_have_text("1 of 1,000 products.")
    page.locator("#table tbody a").press("Enter")
    expect(page.locator(".page.on h2")).to_contain_text("FraudShield 77")
    assert page.locator(".page.on svg").first.is_visible()
    page.go_back()
    page.get_by_label("Search").fill("")
    more = page.get_by_role("button", name="Show all 1,000")
    more.press("Enter")
    assert page.locator("#table tbody tr").count() == 1000
    assert not more.is_visible()
    assert page.evaluate("document.activeElement.tagName") == "A"
    seen.assert_quiet()


def test_every_page_of_a_thousand_can_be_linked_to(
    visit: Callable[..., Visit], report: Path
) -> None:
    seen = visit()
    page = seen.open(report, "product-young-110")
    expect(page.locator(".page.on h2")).to_contain_text("Young & New 110")
    page.emulate_media(media="print")
    assert page.locator("#table").is_visible()
    seen.assert_quiet()


def test_without_scripts_a_thousand_stand_in_the_table(
    visit: Callable[..., Visit], report: Path
) -> None:
    page = visit(java_script_enabled=False).open(report)
    assert page.locator("#table tbody tr").count() == 1000
    assert page.locator("noscript .note").is_visible()
