"""The report: one HTML file with every verdict, its evidence and every chart; nothing is fetched.

It reads marts of the published file only. Each product has a page; beyond `MOST_LIVE` products the
pages stand compressed in the file and open on demand, beyond `MOST_PAGES` the table alone has them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from charts import CHARTS, load
from charts.health import read_health
from charts.picture import Picture
from charts.reading import MOOD, Published, open_published
from charts.report.around import Around
from charts.report.evidence import Pooled, read_pooled
from charts.report.health import budget_page, health_page
from charts.report.pages import (
    Page,
    charts_page,
    method_page,
    overview_page,
    product_section,
    products_page,
    report_facts,
    whole,
)
from charts.report.reading import Product, Report, read_report, series_of
from charts.report.words import share
from charts.style import house_style, plural, write_whole

MOST_LIVE = 50
MOST_PAGES = 1000
# What lies beside a report, and what it is good for.
_BESIDE = {
    "docs/index.html": ("Lineage", "every table, its columns, tests and where it comes from"),
    "published.duckdb": ("Published file", "every table behind this page, for any DuckDB client"),
    "insights.json": ("insights.json", "the verdicts for programs"),
    "charts": ("Pictures", "the charts as PNG and SVG"),
}


def make(
    published: Path,
    output: Path,
    *,
    cutoff: datetime | None = None,
    target: str | None = None,
    to_come: frozenset[str] = frozenset(),
) -> Path:
    """Write the report of a published file, whole or not at all; return `output`.

    `cutoff`, the newest instant that counts, stands in the words. `to_come` names what later steps
    will put beside the published file (`insights.json`), so that the page may lead there. Raises
    charts.style.ChartError, whose message names the file and whose remedy says what to do.
    """
    name = target or published.resolve().parent.name
    with open_published(published) as file, house_style():
        report = read_report(file, cutoff=cutoff, most_pages=MOST_PAGES)
        pictures = _pictures(file, report)
        pages = [overview_page(report, has_charts=bool(pictures)), products_page(report)]
        if pictures:
            pages.append(charts_page(pictures))
        pages += more_pages(file)
        pages.append(
            method_page(
                report,
                placebo=_placebo(file),
                places=_places(published, output, to_come),
                facts=report_facts(report, target=name),
            )
        )
        paged = [product for product in report.products if product.has_page]
        pooled = read_pooled(file)
        sections = [
            product_section(
                product,
                series,
                report.around.get(product.product_id, Around()),
                _pooled_of(product, pooled),
            )
            for product, series in zip(paged, series_of(file, report, paged), strict=True)
        ]
        text = whole(
            report,
            pages,
            sections,
            target=name,
            are_live=len(paged) <= MOST_LIVE,
            footer=_footer(report),
        )
    write_whole(output, text.encode())
    return output


def more_pages(file: Published) -> list[Page]:
    """Pages about the pipeline itself: whether it is well, and what its sources may still use."""
    health = read_health(file)
    return [health_page(health), budget_page(health)]


def _pictures(file: Published, report: Report) -> list[Picture]:
    if not report.products:
        return []
    return [chart.picture(file, report.overview, report.catalogue) for chart in load(CHARTS)]


def _pooled_of(product: Product, pooled: Mapping[tuple[str, str], Pooled]) -> list[Pooled]:
    metric = product.outcome.key if product.outcome else ""
    wanted = [(product.category, metric), ("all", metric)]
    return [pooled[key] for key in wanted if key in pooled]


def _placebo(file: Published) -> str:
    """What the placebo audit found, in a sentence."""
    columns = ("signal", "metric", "tests_count", "share_below_05_ratio", "low", "high")
    if not file.has("mart_placebo_audit", *columns):
        return ""
    rows = file.rows(
        "select tests_count, share_below_05_ratio, low, high "
        f"from {file.table('mart_placebo_audit')} where signal = ? and tests_count > 0 "
        "order by tests_count desc, metric limit 1",
        [MOOD],
    )
    if not rows or rows[0][1] is None:
        return ""
    tests, found, low, high = rows[0]
    return (
        f"Placebo: of {plural(tests, 'test')} of one product's mood against another product's "
        f"outcome, where there is nothing to find, {share(found)} fell below p = 0.05 "
        f"(95 % interval {share(low)} to {share(high)}; about 5 % should)."
    )


def _places(published: Path, output: Path, to_come: frozenset[str]) -> list[tuple[str, str, str]]:
    """Files beside the published one: name, address relative to the report, and what they are."""
    found = []
    for path, (name, words) in _BESIDE.items():
        file = published.resolve().parent / path
        if file.exists() or path in to_come:
            relative = os.path.relpath(file, output.resolve().parent)
            found.append((name, Path(relative).as_posix(), words))
    found.append(("Questions to ask", "", "docs/cookbook.md of the project: queries to paste"))
    return found


def _footer(report: Report) -> str:
    stamp = "Simulated data. " if report.overview.is_simulated else ""
    return (
        f"{stamp}Made by Social Signals from the published file; nothing on this page was fetched. "
        "Order is not cause: test before you act."
    )
