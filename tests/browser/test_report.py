"""The report as readers use it: by mouse and keyboard, in the dark, on paper, without scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from charts.report import make
from tests.browser.chromium import Visit
from tests.fake_published import NINE, make_published

pytestmark = pytest.mark.xdist_group("browser-report")

Visits = Callable[..., Visit]
DOWN, UP = "descending", "ascending"
# What gets the focus by Tab: its words, and how it shows that it has it.
FOCUSED = """() => {
    const one = document.activeElement;
    if (one === document.body) return null;
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    return {
        words: one.innerText || one.id || one.getAttribute('aria-label') || '',
        number: [...document.querySelectorAll('*')].indexOf(one),
        outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        isInView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    };
}"""
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, summary, [tabindex="0"]')]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && !one.disabled)
    .map(one => [...document.querySelectorAll('*')].indexOf(one))"""
COLUMN = "rows => rows.map(row => row.cells[COLUMN].innerText)"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "demo"
    published = make_published(folder / "published.duckdb", NINE, days=120)
    return make(published, folder / "report.html")


def anchors(page: Page) -> list[str]:
    """Every page of the report that its navigation names, and that of a product."""
    pages = page.eval_on_selector_all("nav a", "links => links.map(one => one.hash.slice(1))")
    assert pages[:2] == ["overview", "products"]
    return [*pages, "product-chatty", "product-young"]


def shown(page: Page) -> list[str]:
    """Ids of the pages that can be seen."""
    return page.eval_on_selector_all(
        ".page", "pages => pages.filter(one => one.checkVisibility()).map(one => one.id)"
    )


def expect_shown(page: Page, one: str) -> None:
    """Wait until this page alone is shown: the report hears of a new address a moment later."""
    expect(page.locator(f"#{one}")).to_be_visible()
    expect(page.locator(".page:visible")).to_have_count(1)


def test_cards_say_every_verdict_in_words(visit: Visits, report: Path) -> None:
    seen = visit()
    page = seen.open(report)
    cards = page.locator(".card")
    assert cards.count() == len(NINE)
    words = {card.locator("h4").inner_text(): card.inner_text() for card in cards.all()}
    assert set(words) == {product.name for product in NINE}
    assert "Mood first" in words["Chatty"]
    assert "Sales first" in words["One-Tap Checkout"]
    assert "No reliable link" in words["Dashboardly"]
    assert "74 of 90 days" in words["Young & New"]
    assert page.get_by_text("Simulated data").first.is_visible()
    for card in cards.all():
        name = card.locator("h4").inner_text()
        card.click()
        expect(page.locator(".page.on h2")).to_contain_text(name)
        assert len(shown(page)) == 1
        page.go_back()
        expect_shown(page, "overview")
    seen.assert_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(visit: Visits, report: Path, scheme: str) -> None:
    seen = visit(color_scheme=scheme)
    for anchor in anchors(seen.open(report)):
        seen.open(report, anchor)
        if anchor == "charts":
            # Thousands of words within pictures take a minute; each picture has its name and table.
            assert seen.page.locator(".plot svg").count() > 0
            assert seen.axe(without=".plot svg") == []
            continue
        seen.page.eval_on_selector_all(
            ".page.on details", "all => all.forEach(one => { one.open = true })"
        )
        assert seen.axe() == [], anchor
    seen.assert_quiet()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_page_is_wider_than_the_window(visit: Visits, report: Path, width: int) -> None:
    seen = visit(viewport={"width": width, "height": 800})
    for anchor in anchors(seen.open(report)):
        seen.open(report, anchor)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, anchor


def value(text: str) -> tuple[bool, float]:
    """A cell as a number; one without a number stands last."""
    digits = text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("<", "").strip()
    return (False, float(digits)) if digits.strip("–") else (True, 0.0)


@pytest.mark.parametrize("key", [None, "Enter", "Space"])
def test_every_column_sorts_both_ways(visit: Visits, report: Path, key: str | None) -> None:
    seen = visit()
    page = seen.open(report, "products")
    buttons = page.locator("#table thead button")
    titles = buttons.all_inner_texts()
    assert {"Product", "Verdict", "q", "Units"} <= set(titles)
    for column, title in enumerate(titles):
        cells: dict[str, list[str]] = {}
        for _ in range(2):
            if key is None:
                buttons.nth(column).click()
            else:
                buttons.nth(column).press(key)
            sorts = page.locator("#table thead th[aria-sort]")
            assert sorts.all_inner_texts() == [title]
            cells[sorts.get_attribute("aria-sort") or ""] = page.eval_on_selector_all(
                "#table tbody tr", COLUMN.replace("COLUMN", str(column))
            )
            assert f"Sorted by {title}" in page.locator("#status").inner_text()
        assert set(cells) == {UP, DOWN}
        assert len(cells[UP]) == len(NINE)
        if page.locator("#table thead th").nth(column).evaluate("one => one.className") == "n":
            assert title not in {"Posts", "Units"} or len(set(cells[UP])) > 1
            for order, sign in ((UP, 1), (DOWN, -1)):
                values = [value(cell) for cell in cells[order]]
                assert values == sorted(values, key=lambda one: (one[0], sign * one[1])), title
        elif title == "Product":
            for order, is_down in ((UP, False), (DOWN, True)):
                assert cells[order] == sorted(cells[order], key=str.casefold, reverse=is_down)
        else:
            assert list(dict.fromkeys(cells[UP])) == list(dict.fromkeys(cells[DOWN]))[::-1]
    seen.assert_quiet()


def test_search_and_verdicts_filter_and_say_how_many(visit: Visits, report: Path) -> None:
    seen = visit()
    page = seen.open(report, "products")
    search, found, status = (
        page.get_by_label("Search"),
        page.locator("#found"),
        page.locator("#status"),
    )
    rows = page.locator("#table tbody tr")
    assert found.inner_text() == "9 of 9 products."
    search.fill("  CHECKOUT ")
    expect(found).to_have_text("1 of 9 products.")
    assert rows.locator("th a").all_inner_texts() == ["One-Tap Checkout"]
    assert status.inner_text() == "1 of 9 products"
    search.fill("[.*(")
    expect(found).to_have_text("None of 9 products.")
    assert rows.count() == 0
    search.press("Escape")
    expect(found).to_have_text("9 of 9 products.")
    none = page.get_by_role("button", name="No reliable link")
    none.press("Enter")
    assert none.get_attribute("aria-pressed") == "true"
    expected = sum(product.verdict == "none" for product in NINE)
    assert rows.count() == expected
    assert found.inner_text() == f"{expected} of 9 products."
    search.fill("dash")
    expect(found).to_have_text("1 of 9 products.")
    search.press("Enter")
    expect_shown(page, "products")
    page.goto(report.as_uri() + "#overview")
    page.locator(".tiles a", has_text="Sales first").press("Enter")
    expect_shown(page, "products")
    assert page.get_by_role("button", name="Sales first").get_attribute("aria-pressed") == "true"
    seen.assert_quiet()


def test_tab_reaches_everything_and_shows_where_it_is(visit: Visits, report: Path) -> None:
    seen = visit(viewport={"width": 1000, "height": 700})
    for anchor in anchors(seen.open(report)):
        page = seen.open(report, anchor)
        page.reload()
        reached = []
        for _ in range(300):
            seen.press_tab()
            focused = page.evaluate(FOCUSED)
            if focused is None or focused["number"] in reached:
                break
            assert focused["outline"] >= 2, (anchor, focused)
            assert focused["isInView"], (anchor, focused)
            if not reached:
                assert focused["words"] == "Skip to the content"
            reached.append(focused["number"])
        assert sorted(reached) == sorted(page.evaluate(REACHABLE)), anchor
        assert reached == sorted(reached), anchor
    seen.assert_quiet()


def test_the_keyboard_skips_opens_and_goes_back(visit: Visits, report: Path) -> None:
    seen = visit()
    page = seen.open(report)
    seen.press_tab()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect_shown(page, "overview")
    page.locator(".card a").first.press("Enter")
    expect(page.locator(".page.on h2")).to_be_focused()
    assert len(shown(page)) == 1
    first = page.url
    assert page.title().startswith("Chatty")
    summary = page.locator(".page.on summary").last
    summary.press("Enter")
    assert page.locator(".page.on pre").is_visible()
    summary.press("Space")
    assert not page.locator(".page.on pre").is_visible()
    page.goto(f"{report.as_uri()}#no-such-page")
    expect_shown(page, "overview")
    page.go_back()
    expect(page).to_have_url(first)
    expect(page.locator("nav [aria-current]")).to_have_text(["Products"])
    expect_shown(page, first.partition("#")[2])
    seen.assert_quiet()


def ground(page: Page) -> float:
    """How light the page is, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour[4:-1].split(",")) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_by_system_and_by_switch(visit: Visits, report: Path, scheme: str) -> None:
    seen = visit(color_scheme=scheme)
    page = seen.open(report)
    light = ground(page)
    assert light > 200 if scheme == "light" else light < 60
    page.locator("#theme").press("Enter")
    other = ground(page)
    assert other < 60 if scheme == "light" else other > 200
    assert seen.axe() == []
    page.reload()
    assert ground(page) == other
    page.emulate_media(media="print")
    assert ground(page) > 250
    seen.assert_quiet()


def test_paper_shows_every_page_and_no_controls(visit: Visits, report: Path) -> None:
    seen = visit(color_scheme="dark")
    page = seen.open(report, "products")
    page.get_by_label("Search").fill("chatty")
    page.emulate_media(media="print")
    assert set(shown(page)) >= {*anchors(page), *(f"product-{one.product_id}" for one in NINE)}
    for control in ("nav", "#theme", "#tools", ".skip", "#more"):
        assert not page.locator(control).is_visible(), control
    assert page.locator(".card").count() == len(NINE)
    assert len(page.pdf()) > 20_000
    seen.assert_quiet()


def test_nothing_moves_for_those_who_asked_for_it(visit: Visits, report: Path) -> None:
    moving = (
        "one => [getComputedStyle(one).transitionDuration, getComputedStyle(one).animationName]"
    )
    page = visit(reduced_motion="reduce").open(report)
    for one in page.locator("a, button, .card").all():
        assert one.evaluate(moving) == ["0s", "none"]


def test_without_scripts_everything_stands_there(visit: Visits, report: Path) -> None:
    seen = visit(java_script_enabled=False, viewport={"width": 360, "height": 800})
    page = seen.open(report)
    assert page.locator(".card:visible").count() == len(NINE)
    assert page.locator("#table tbody tr:visible").count() == len(NINE)
    assert page.locator("figure svg:visible").count() > len(NINE)
    assert page.locator("#product-chatty h2").is_visible()
    for control in ("#theme", "#tools", "#more"):
        assert not page.locator(control).is_visible(), control
    seen.assert_quiet()


@pytest.mark.parametrize("products", [(), NINE[:1], NINE[-1:]])
def test_a_report_of_nothing_one_and_nothing_tested(
    visit: Visits, tmp_path: Path, products: tuple
) -> None:
    published = make_published(
        tmp_path / "published.duckdb", products, days=120, is_simulated=False
    )
    seen = visit()
    page = seen.open(make(published, tmp_path / "report.html"))
    assert page.locator(".card").count() == len(products)
    assert page.get_by_text("Simulated data").count() == 0
    assert seen.axe() == []
    assert shown(seen.open(tmp_path / "report.html", "products")) == ["products"]
    assert seen.axe() == []
    seen.assert_quiet()
