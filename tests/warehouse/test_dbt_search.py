"""Search interest from downloaded files to the published table, by the real source and project."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import google_trends
from extract.base import Context
from tests.simulated_search import FIRST_DAY, Site, errors_of, history, windows, write
from tests.warehouse.dbt_builds import TinyProject, tiny_project

DAYS = 600
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = [
    {"product_id": name, "product_name": name, "brand": name, "category": "things"}
    for name in ("lamp", "chair", "rare", "desk", "sofa")
]
TERMS = [
    ("lamp", "Lamp", "keyword"),
    ("chair", "chair", "keyword"),
    ("chair", "chair sale", "exclusion"),
    ("rare", "rare thing", "keyword"),
    ("desk", "desk", "keyword"),
    ("sofa", "sofa", "keyword"),
]
MODELS = ("products", "terms", "stg_google_trends__interest+")
# What reads tables of other sources, which this warehouse lacks.
OTHERS = ("int_metrics__daily+", "ops_quality", "test_name:relationships")


def downloads(folder: Path, site: Site) -> None:
    """What a careful user puts into a folder, and what a careless one does."""
    for number, (first, last) in enumerate(windows(DAYS, overlap=40)):
        for draw in range(2):
            text = site.download(["Lamp", "anchor"], first, last, language="de", region="Peru")
            write(folder, f"lamp_{number}_{draw}.csv", text)
    # Two windows apart, linked by the anchor alone.
    for name, first, last in (("a", 0, 200), ("b", 300, 500)):
        text = site.download(["chair", "anchor"], first, last, region="Peru")
        write(folder, f"chair_{name}.csv", text)
        # The same in another region, where nothing links them.
        text = site.download(["chair"], first, last, region="Chile")
        write(folder, f"chair_chile_{name}.csv", text)
    # Weeks alone, and a term of which there is next to nothing beside the anchor.
    write(folder, "desk.csv", site.download(["desk"], 0, DAYS, step=7, language="ja"))
    write(folder, "rare_a.csv", site.download(["rare thing", "anchor"], 0, 100, region="Chile"))
    write(folder, "rare_b.csv", site.download(["rare thing", "anchor"], 80, 180, region="Chile"))
    only_shopping = site.download(["chair"], 0, 500, region="Peru")
    write(folder, "shopping.csv", only_shopping.replace("All categories", "Shopping"))
    write(folder, "hours.csv", "Time,Lamp: (Peru)\n2026-01-01T03,5\n2026-01-01T04,6\n")


@pytest.fixture(scope="module")
def site() -> Site:
    generator = np.random.default_rng(11)
    terms = {"Lamp": 0.02, "anchor": 0.03, "chair": 0.01, "rare thing": 0.000_05, "desk": 0.01}
    histories = {term: history(generator, DAYS, level=level) for term, level in terms.items()}
    return Site(histories, generator=generator)


def payloads(folder: Path) -> list[dict[str, Any]]:
    settings = google_trends.Settings(folder=folder, regions={"Peru": "PE", "Chile": "CL"})
    context = Context("r1", lambda: NOW, (), folder, folder)
    return [
        record.payload
        for page in google_trends.pull(settings, {}, context)
        for record in page.records
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, site: Site) -> TinyProject:
    folder = tmp_path_factory.mktemp("search")
    downloads(folder / "trends", site)
    project = tiny_project(
        folder / "project",
        products=PRODUCTS,
        terms=TERMS,
        settings={"cutoff_at": "2026-12-31T00:00:00Z", "is_simulated": "false"},
    )
    project.land("google_trends", "interest", payloads(folder / "trends"), is_simulated=False)
    api = [
        {
            "term": "sofa",
            "geo": "US",
            "date": (FIRST_DAY + timedelta(days=n)).isoformat(),
            "value": repr(0.000_1 * (n + 1)),
            "resolution": "day",
            "draw": "api",
            "request": "api",
            "scale": "constant",
        }
        for n in range(50)
    ]
    # Two pulls of one scale, and a revised point in the second.
    project.land("google_trends", "interest", api[:30], is_simulated=False)
    revised = [{**api[29], "value": "0.004"}]
    project.land(
        "google_trends",
        "interest",
        [*revised, *api[30:]],
        fetched_at="2026-02-05T10:00:00Z",
        is_simulated=False,
    )
    project.build("--select", *MODELS, "--exclude", *OTHERS)
    return project


def series(
    project: TinyProject, term: str, geo: str, *, segment: int = 1, category: str = ""
) -> dict[date, dict[str, Any]]:
    columns = (
        "period_start_date, search_interest, search_interest_se, stitch_method, answers_count,"
        " windows_count, apart_reason, shared_scale_interest, se_basis, scale_group, resolution"
    )
    rows = project.query(
        f"select {columns} from marts.mart_search_interest where term = ? and geo = ?"
        " and segment = ? and category = ? order by 1",
        [term, geo, segment, category],
    )
    names = columns.replace(" ", "").split(",")
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def compared(site: Site, term: str, found: dict[date, dict[str, Any]]) -> Any:
    value, se = np.zeros(DAYS), np.ones(DAYS)
    for day, row in found.items():
        at = (day - FIRST_DAY).days
        value[at] = row["search_interest"]
        se[at] = row["search_interest_se"] / max(row["search_interest"], 1e-9)
    return errors_of(site.histories[term][:DAYS], value, se)


def test_windows_and_draws_become_one_series_near_the_truth(built: TinyProject, site: Site) -> None:
    found = series(built, "lamp", "PE")
    assert len(found) == DAYS
    assert max(row["search_interest"] for row in found.values()) == pytest.approx(100)
    assert {row["stitch_method"] for row in found.values()} == {"overlap"}
    assert {row["answers_count"] for row in found.values()} == {2, 4}
    assert {row["windows_count"] for row in found.values()} == {1, 2}
    assert {row["se_basis"] for row in found.values()} == {"draws"}
    errors = compared(site, "Lamp", found)
    assert errors.rmse < 0.12
    assert errors.correlation > 0.97
    assert abs(errors.drift) < 0.08
    assert 0.9 <= errors.coverage <= 1.0


def test_the_anchor_brings_windows_together_that_share_no_day(
    built: TinyProject, site: Site
) -> None:
    found = series(built, "chair", "PE")
    assert len(found) == 400
    assert {row["stitch_method"] for row in found.values()} == {"anchor"}
    assert series(built, "chair", "PE", segment=2) == {}
    errors = compared(site, "chair", found)
    assert abs(errors.drift) < 0.1
    # Compared on the shared scale: half as many look for a chair as for a lamp.
    lamp = series(built, "lamp", "PE")
    assert {row["scale_group"] for row in found.values()} == {
        row["scale_group"] for row in lamp.values()
    }
    ratio = sum(r["shared_scale_interest"] for r in found.values()) / sum(
        lamp[day]["shared_scale_interest"] for day in found
    )
    days = [(day - FIRST_DAY).days for day in found]
    truth = site.histories["chair"][days].sum() / site.histories["Lamp"][days].sum()
    assert ratio == pytest.approx(truth, rel=0.1)


def test_without_a_link_windows_stay_apart_and_say_why(built: TinyProject) -> None:
    first, second = (series(built, "chair", "CL", segment=s) for s in (1, 2))
    assert (len(first), len(second)) == (200, 200)
    # Of equal length: the later one comes first.
    assert min(first) > max(second)
    assert {row["apart_reason"] for row in first.values()} == {None}
    assert {row["apart_reason"] for row in second.values()} == {"no_overlap"}
    assert {row["stitch_method"] for row in [*first.values(), *second.values()]} == {"none"}
    assert max(row["search_interest"] for row in first.values()) == 100


def test_next_to_nothing_is_stitched_by_its_anchor_not_by_its_zeros(built: TinyProject) -> None:
    found = series(built, "rare thing", "CL")
    assert len(found) == 180
    assert {row["stitch_method"] for row in found.values()} == {"anchor"}


def test_weeks_are_in_the_table_and_not_spread_over_days(built: TinyProject) -> None:
    found = series(built, "desk", "")
    assert {row["resolution"] for row in found.values()} == {"week"}
    assert len(found) == DAYS // 7
    daily = built.query("select distinct product_id from intermediate.int_search__daily order by 1")
    assert daily == [("chair",), ("lamp",), ("rare",), ("sofa",)]


def test_a_category_is_a_series_of_its_own_and_no_product_takes_it(built: TinyProject) -> None:
    assert len(series(built, "chair", "PE", category="Shopping")) == 500
    chosen = built.query(
        "select distinct series_id, count(*) over () from intermediate.int_search__daily"
        " where product_id = 'chair'"
    )
    assert chosen == [("chair|PE", 400)]


def test_hours_are_staged_and_go_no_further(built: TinyProject) -> None:
    staged = built.query(
        "select interest_time::varchar from staging.stg_google_trends__interest"
        " where resolution = 'hour' order by 1"
    )
    assert staged == [("03:00:00",), ("04:00:00",)]
    assert built.query("select 1 from marts.mart_search_interest where resolution = 'hour'") == []


def test_a_constant_scale_stays_as_received_and_its_newest_word_counts(built: TinyProject) -> None:
    found = series(built, "sofa", "US")
    values = [row["search_interest"] for row in found.values()]
    expected = [0.000_1 * (n + 1) for n in range(50)]
    expected[29] = 0.004
    assert values == pytest.approx(expected)
    assert {row["stitch_method"] for row in found.values()} == {"none"}


def test_anchors_are_told_from_tracked_terms(built: TinyProject) -> None:
    tracked = dict(
        built.query("select distinct term, is_tracked from marts.mart_search_interest order by 1")
    )
    assert tracked["anchor"] is False
    assert all(is_tracked for term, is_tracked in tracked.items() if term != "anchor")


def test_a_second_run_equals_a_full_refresh(built: TinyProject) -> None:
    point = {
        "term": "lamp",
        "geo": "PE",
        "date": (FIRST_DAY + timedelta(days=DAYS)).isoformat(),
        "value": "50",
        "is_partial": True,
        "resolution": "day",
        "request": "late",
        "draw": "late",
    }
    built.land("google_trends", "interest", [point], is_simulated=False)
    # Sums of floating-point numbers differ in their last digits from run to run.
    numbers = ("search_interest", "search_interest_se", "shared_scale_interest")
    rounded = ", ".join(f"round({name}, 9)" for name in numbers)
    table = (
        "select search_point_key, stitch_method, answers_count, scale_group, apart_reason,"
        f" {rounded} from marts.mart_search_interest order by 1"
    )
    before = built.query(table)
    built.dbt("run", "--select", *MODELS, "--exclude", *OTHERS)
    incremental = built.query(table)
    built.dbt("run", "--full-refresh", "--select", *MODELS, "--exclude", *OTHERS)
    assert incremental == built.query(table)
    # A point of a day that is not over changes nothing.
    assert incremental == before
