"""The report: what it says of every verdict; nothing leaves it and nothing breaks out of it."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

import charts.report as report
from charts.reading import measure, open_published
from charts.report import svg
from charts.report.colours import darkened
from charts.report.reading import anchor_of, read_report, series_of
from charts.report.words import finding, headline, plain, without_name
from charts.style import ChartError
from pipeline.forget_command import _steps
from pipeline.forget_removal import _remove_artefacts
from pipeline.paths import TargetPaths
from tests.fake_published import NASTY, NINE, Planted, make_published

VOID = {"meta", "input", "br", "link", "img", "circle", "rect", "path", "polygon", "use"}
HOSTILE = (
    Planted("<img src=x onerror=alert(1)>", "</template><script>alert(1)</script>", verdict="none"),
    Planted("'); drop table x; --", "<!-- <svg/onload=alert(1)>", lag=3, verdict="social_leads"),
    Planted("jinja", "{{ 7 * 7 }}{% raw %}"),
    Planted("a\u202eb", "\u202egnp.exe" + "W" * 10_000),
    Planted("quote", "\" onfocus=alert(1) autofocus x='"),
)
TEXTS = (
    "</blockquote></section></template></main><script>alert(1)</script>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "\u202e" + "a" * 10_000,
)


class Page(HTMLParser):
    """Elements with their attributes, the text of each, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.texts.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def made(
    folder: Path,
    products: Sequence[Planted] = NINE,
    *,
    posts: Sequence[tuple[Any, ...]] = (),
    with_texts: bool = True,
    **settings: Any,
) -> str:
    """The report of a small file; `posts` are (platform, id, author, url, text, is_simulated)."""
    file = make_published(folder / "shop" / "published.duckdb", products, **settings)
    add_posts(file, posts, products[0].product_id if products else "", with_texts=with_texts)
    output = report.make(file, folder / "report.html")
    return output.read_text(encoding="utf-8")


def add_posts(
    file: Path, posts: Sequence[tuple[Any, ...]], product_id: str, *, with_texts: bool
) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("""
            create or replace table marts.fct_posts (
                post_key varchar, platform varchar, post_id varchar, author_id varchar, url varchar,
                text varchar, engagement_count bigint, posted_date date, is_simulated boolean,
                is_withheld boolean
            );
            create or replace table marts.bridge_post_products (
                post_key varchar, product_id varchar
            );
        """)
        for number, (platform, post_id, author, url, text, is_simulated) in enumerate(posts):
            key = f"{platform}:{number}"
            connection.execute(
                "insert into marts.fct_posts values (?, ?, ?, ?, ?, ?, ?, '2026-06-01', ?, ?)",
                [key, platform, post_id, author, url, text, 100 - number, is_simulated,
                 text == "withheld"],
            )  # fmt: skip
            connection.execute(
                "insert into marts.bridge_post_products values (?, ?)", [key, product_id]
            )
        if not with_texts:
            connection.execute("alter table marts.fct_posts drop column text")


@pytest.fixture(autouse=True)
def _without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts have tests of their own; the page of nine, made before, holds them."""
    monkeypatch.setattr(report, "CHARTS", ())


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> str:
    return made(tmp_path_factory.mktemp("nine"))


def test_every_product_has_a_card_a_row_and_a_page(nine: str) -> None:
    page = Page(nine)
    links = [a["href"] for a in page.all("a")]
    sections = {a.get("id") for a in page.all("section")}
    for product in NINE:
        anchor = anchor_of(product.product_id)
        assert links.count(f"#{anchor}") == 2
        assert anchor in sections


def test_verdicts_come_first_and_in_words(nine: str) -> None:
    words = Page(nine).words()
    assert words.index("Mood precedes sales in 1 of 9 products") < words.index("Claims")
    assert "Mood precedes units by 3 days" in words
    assert "+12 to +31 % units per +1 SD of mood" in words
    assert "Units precede mood by 2 days" in words
    assert "No reliable link between mood and units" in words
    assert "74 of 90 days with both mood and sales" in words
    assert "nothing is claimed yet" in words
    assert "Simulated data" in words


def test_there_is_no_stamp_where_nothing_is_simulated(tmp_path: Path) -> None:
    words = Page(made(tmp_path, NINE[:2], is_simulated=False)).words()
    assert "Simulated data" not in words
    assert "made-up shop" not in words


def test_the_policy_allows_exactly_the_page_s_own_scripts_and_style(nine: str) -> None:
    policy = next(a["content"] or "" for a in Page(nine).all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src-elem")):
        allowed = re.search(rf"{directive} ([^;]+)", policy)
        assert allowed is not None
        found = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for text in re.findall(rf"<{tag}>(.*?)</{tag}>", nine, re.DOTALL)
        ]
        assert allowed[1].split() == [f"'sha256-{each}'" for each in found]


def test_nothing_is_fetched(nine: str) -> None:
    page = Page(nine)
    assert {tag for tag, _ in page.elements} & {
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
    } == set()
    assert all("src" not in attributes for _, attributes in page.elements)
    assert "@import" not in nine
    assert re.findall(r"url\((?!#)", nine) == []
    assert all((a["href"] or "").startswith("#") for a in page.all("use"))


def test_one_h1_named_landmarks_and_tables_with_heads(nine: str) -> None:
    page = Page(nine)
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == len(page.all("nav")) == 1
    assert page.all("html") == [{"lang": "en"}]
    assert all(a.get("scope") in {"col", "row"} for a in page.all("th"))
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    for name in (a["href"] or "" for a in page.all("a") if (a["href"] or "").startswith("#")):
        assert name[1:] in ids
    for figure in page.all("svg"):
        assert figure.get("aria-label") or figure.get("aria-hidden") == "true"


@pytest.mark.parametrize("products", [NASTY, HOSTILE])
@pytest.mark.parametrize("most_live", [50, 1])
def test_names_from_outside_stay_text(
    products: Sequence[Planted], most_live: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_LIVE", most_live)
    posts = [("blog", "1", "<b>", "javascript:alert(1)", text, True) for text in TEXTS]
    text = made(tmp_path, products, posts=posts)
    packs = re.findall(r'<script type="application/zlib;base64" class="pack">(.*?)</script>', text)
    assert len(packs) == (0 if most_live == 50 else 1)
    assert ('class="page product"' in text) == (most_live == 50)
    text = text + "".join(zlib.decompress(base64.b64decode(pack)).decode() for pack in packs)
    page = Page(text)
    assert len(page.all("script")) == 2 + len(packs)
    assert {"img", "animate"} & {tag for tag, _ in page.elements} == set()
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    assert not [a for a in page.all("a") if "javascript" in (a["href"] or "").lower()]
    assert "\u202e" not in text
    assert "49" not in page.words().split()
    assert max(len(word) for word in page.words().split()) < 400


def test_posts_are_quoted_only_where_the_terms_allow_it(tmp_path: Path) -> None:
    posts = [
        ("x", "123", "456", "https://x.com/i/status/123", "a text of X", False),
        ("storefront", "9", "Ann", None, "a review of the shop's own", False),
        ("unheard-of", "9", "somebody", "https://127.0.0.1/x", "a text of nobody knows", False),
    ]
    page = Page(made(tmp_path, NINE[:1], posts=posts, is_simulated=False))
    words = page.words()
    assert "a review of the shop's own" in words
    assert "a text of X" not in words
    assert "a text of nobody knows" not in words
    assert "somebody" not in words
    outside = [a for a in page.all("a") if not (a["href"] or "#").startswith("#")]
    posts_links = [a for a in outside if "://" in (a["href"] or "")]
    assert [a["href"] for a in posts_links] == ["https://x.com/i/status/123"]
    assert posts_links[0]["rel"] == "noopener noreferrer nofollow external"


def test_what_is_withheld_is_not_shown(tmp_path: Path) -> None:
    posts = [("storefront", "1", None, None, "withheld", False)]
    assert "withheld" not in Page(made(tmp_path, NINE[:1], posts=posts)).words()


def test_a_file_without_texts_still_names_the_posts(tmp_path: Path) -> None:
    posts = [("x", "123", "456", None, "a text", False)]
    page = Page(made(tmp_path, NINE[:1], posts=posts, with_texts=False, is_simulated=False))
    assert "open 123" in page.words()
    assert "a text" not in page.words()


def test_a_file_without_products_says_what_to_do(tmp_path: Path) -> None:
    words = Page(made(tmp_path, ())).words()
    assert "There is no product to speak of yet." in words
    assert "social-signals doctor" in words


def test_products_beyond_the_pages_stand_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_PAGES", 3)
    page = Page(made(tmp_path))
    assert len([a for a in page.all("section") if "product" in (a.get("class") or "")]) == 3
    assert "The first 3 have a page of their own" in page.words()
    assert page.words().count("Number Cruncher") >= 1


def test_the_report_is_the_same_each_time(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2])
    one = report.make(file, tmp_path / "one.html").read_bytes()
    assert report.make(file, tmp_path / "two.html").read_bytes() == one


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("old")
    with pytest.raises(ChartError, match="no published file"):
        report.make(tmp_path / "published.duckdb", output)
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_a_product_s_figures_take_few_kilobytes(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=1500)
    with open_published(file) as opened:
        read = read_report(opened, most_pages=10)
        series = next(series_of(opened, read, read.products))
    product = read.products[0]
    trend = svg.trend(series, "units", product.name)
    lags = svg.lag_curve(product.curve, "units", product.name)
    assert trend is not None
    assert lags is not None
    assert len(trend) + len(lags) + len(svg.interval((0.1, 0.3), estimate=0.2)) < 10_000
    assert "nan" not in trend + lags
    assert 'class="dot far"' in lags


def test_the_interval_goes_before_the_point() -> None:
    mood, units = measure("sentiment_mean"), measure("units")
    said = finding(
        "social_leads", mood, units, lag_days=3, interval=(0.09, 0.32), q_value=0.0002, n_days=179
    )
    assert said.sentence() == (
        "Mood precedes units by 3 days: +9.0 to +32\N{NO-BREAK SPACE}% units per +1 SD of mood, "
        "q < 0.001, n = 179 days"
    )
    direction = finding("sales_lead", mood, units, lag_days=-1, interval=(0.09, 0.32))
    assert direction.title == "Units precede mood by 1 day"
    assert "%" not in direction.size
    nothing = finding("none", mood, units, lag_days=4, smallest=0.18, q_value=0.68)
    assert nothing.sentence() == (
        "No reliable link between mood and units: "
        "+18\N{NO-BREAK SPACE}% or more would have been found, q = 0.68"
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "There is no product to speak of yet"),
        ({"none": 1}, "Nothing is claimed about 1 product: 1 shows no reliable link"),
        (
            {"social_leads": 2, "insufficient": 3},
            "Mood precedes sales in 2 of 5 products. 3 have too little data",
        ),
    ],
)
def test_the_headline_counts_every_product(counts: dict[str, int], words: str) -> None:
    assert headline(counts, "sales") == words


def test_text_from_outside_is_one_line_in_any_script() -> None:
    assert plain("小米\n手机\u202e\x1b") == "小米 手机"
    assert plain("Z̷̢̧̛͔͕͖a") == plain("Z̷̢a")
    assert plain("a" * 50, 10) == "a" * 9 + "…"
    assert without_name("Acme (simulated): mood leads", "Acme") == "Mood leads"


def test_light_grounds_become_dark_and_dark_lines_light() -> None:
    assert int(darkened("#ffffff")[1:3], 16) < 0x40
    assert int(darkened("#1d1f23")[1:3], 16) > 0xB0


def test_a_request_to_forget_makes_the_report_again(tmp_path: Path) -> None:
    paths = TargetPaths(tmp_path, "shop")
    paths.folder.mkdir()
    for file in (paths.published, paths.report, paths.insights):
        file.write_text("a forgotten post")
    settings = SimpleNamespace(paths=paths)
    assert _steps(settings, build=True) == ["forget", "build", "publish", "report", "insights"]  # type: ignore[arg-type]
    _remove_artefacts(paths)
    assert not paths.report.exists()
    assert "report" not in _steps(settings, build=True)  # type: ignore[arg-type]


def test_a_day_beyond_the_axis_is_marked_and_told(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1])
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.fct_daily_signals set units = 9000 where date_day = '2026-06-20'"
        )
    with open_published(file) as opened:
        read = read_report(opened, most_pages=1)
        series = next(series_of(opened, read, read.products))
    figure = svg.trend(series, "units", "Chatty")
    assert figure is not None
    assert figure.count('class="beyond"') == 1
    assert "beyond the axis, up to 9,000" in figure
