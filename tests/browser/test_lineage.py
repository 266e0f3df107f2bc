"""The lineage site of the whole project: it opens, finds, draws, and keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.lineage import read_manifest, write_page
from pipeline.paths import PROJECT_ROOT
from pipeline.settings import load_settings
from tests.browser.chromium import Visit
from tests.warehouse.dbt_builds import tiny_project

pytestmark = pytest.mark.xdist_group("browser-lineage")

Visits = Callable[..., Visit]
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>"
    " [link](javascript:alert(1)) {{7*7}} \u202eevil "
)
MODEL = "model.social_signals.mart_insights"
# Two to four seconds on a free core: dbt's page draws its menus of all models before anything else.
MOST_MS = 20_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `social-signals docs` writes it of this project, some of its texts hostile."""
    folder = tmp_path_factory.mktemp("lineage")
    project = tiny_project(folder / "tiny")
    project.dbt("parse")
    manifest = read_manifest(project.folder / "target" / "manifest.json")
    assert manifest is not None
    model = manifest["nodes"][MODEL]
    model["description"] += HOSTILE + "Wort" * 2500
    model["columns"]["verdict"]["description"] = HOSTILE
    model["tags"].append(HOSTILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCIAL_SIGNALS_DATA", str(project.folder / "data"))
        settings = load_settings(PROJECT_ROOT / "targets" / "demo.toml")
    page = folder / "index.html"
    write_page(settings, manifest, page)
    return page


def opened(seen: Visit, site: Path, fragment: str = "") -> Page:
    page = seen.open(site, fragment)
    expect(page.locator(".app-content h1, .app-content h2").first).to_be_visible(timeout=MOST_MS)
    return page


def test_it_opens_and_finds_a_model(visit: Visits, site: Path) -> None:
    seen = visit()
    page = opened(seen, site)
    expect(page.get_by_role("heading", name="Social Signals")).to_be_visible()
    assert seen.axe(runOnly=["wcag2a", "wcag2aa"]) == []
    page.get_by_placeholder("Search for models").fill("mart_insights")
    found = page.locator(".result:visible, a:visible").filter(has_text="mart_insights").first
    expect(found).to_be_visible(timeout=MOST_MS)
    seen.assert_quiet()


def test_a_model_shows_its_words_as_text(visit: Visits, site: Path) -> None:
    seen = visit(viewport={"width": 1280, "height": 800})
    page = opened(seen, site, f"!/model/{MODEL}")
    expect(page.get_by_role("heading", name="mart_insights").first).to_be_visible()
    expect(page.locator("body")).to_contain_text("One row per card of the latest look")
    assert seen.axe(runOnly=["wcag2a", "wcag2aa"]) == []
    assert page.locator("img[src='x'], [onerror], svg[onload]").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0
    seen.assert_quiet()


def test_the_graph_opens_with_what_a_mart_rests_on(visit: Visits, site: Path) -> None:
    seen = visit(viewport={"width": 1280, "height": 800})
    page = opened(seen, site)
    page.get_by_role("link", name="how it comes about").click()
    canvas = page.locator("canvas").first
    expect(canvas).to_be_visible(timeout=MOST_MS)
    page.wait_for_timeout(1000)
    seen.assert_quiet()
    drawn = """() => [...document.querySelectorAll('canvas')].some(one => {
        const pixels = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
        return pixels.some((value, place) => place % 4 === 3 && value > 0);
    })"""
    assert any(page.evaluate(drawn) or page.wait_for_timeout(200) for _ in range(50))
