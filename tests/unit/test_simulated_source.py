"""The simulated source as a source: same records whatever the way to them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from extract import simulated
from extract.base import Context, ExtractError, Page, Product, Record
from extract.simulated import Settings

Terms = Mapping[str, tuple[str, ...]]


def product(product_id: str, *, category: str = "AI chatbots", **terms: tuple[str, ...]) -> Product:
    chosen: Terms = terms or {"keyword": (product_id,), "sku": (f"{product_id}-1",)}
    return Product(product_id, product_id.capitalize(), "Brand", category, chosen)


CATALOGUE = (
    product(
        "lumivo",
        keyword=("lumivo", "lumivo chat"),
        hashtag=("lumivochat",),
        cashtag=("LUMV",),
        handle=("lumivo_ai",),
        sku=("LUM-1", "LUM-2", "LUM-3"),
    ),
    product("medlar", keyword=("medlar",), exclusion=("medlar tree",), sku=("MED-1",)),
    product("tillwright"),
)


def context(
    folder: Path, catalogue: tuple[Product, ...] = CATALOGUE, timezone: str = "America/New_York"
) -> Context:
    return Context(
        run_id="run-1",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=catalogue,
        root=folder,
        truth_path=folder / "truth" / "truth.json",
        business_timezone=timezone,
    )


def settings(**changes: Any) -> Settings:
    return Settings(**{"days": 12, "posts_per_product_day": 8, "days_per_page": 2, **changes})


def lines(pages: Iterable[Page]) -> list[str]:
    return [as_line(record) for page in pages for record in page.records]


def as_line(record: Record) -> str:
    return json.dumps(
        [record.stream, record.record_id, record.fetched_at.isoformat(), record.payload],
        ensure_ascii=False,
    )


def test_front_door_is_that_of_a_source() -> None:
    assert simulated.NAME == "simulated"
    assert simulated.IS_SIMULATED is True
    assert set(simulated.STREAMS) == {
        ("x", "posts"),
        ("x", "users"),
        ("reddit", "submissions"),
        ("shopify", "orders"),
        ("storefront", "reviews"),
        ("storefront", "calendar_events"),
        ("google_trends", "interest"),
    }


def test_every_stream_yields_records_and_no_other_does(tmp_path: Path) -> None:
    pages = list(simulated.pull(settings(days=60), {}, context(tmp_path)))
    streams = {record.stream for page in pages for record in page.records}
    assert streams == {f"{source}/{stream}" for source, stream in simulated.STREAMS}


def test_two_pulls_are_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    first = lines(simulated.pull(settings(), {}, context(tmp_path)))
    again = lines(simulated.pull(settings(), {}, context(tmp_path)))
    other = lines(simulated.pull(settings(seed=8), {}, context(tmp_path)))
    assert first == again
    assert first != other


def test_another_process_makes_the_same_records(tmp_path: Path) -> None:
    """Nothing hangs on the order of a set or on a hash that differs from process to process."""
    script = (
        "import sys, hashlib, pathlib; from tests.unit import test_simulated_source as t; "
        "from extract import simulated; "
        "pages = simulated.pull(t.settings(days=3), {}, t.context(pathlib.Path(sys.argv[1]))); "
        "print(hashlib.sha256('\\n'.join(t.lines(pages)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    here = "\n".join(lines(simulated.pull(settings(days=3), {}, context(tmp_path))))
    assert digests == {hashlib.sha256(here.encode()).hexdigest() + "\n"}


def test_more_days_only_add_days(tmp_path: Path) -> None:
    short = lines(simulated.pull(settings(days=7), {}, context(tmp_path)))
    long = lines(simulated.pull(settings(days=40), {}, context(tmp_path)))
    assert long[: len(short)] == short
    assert len(long) > len(short)


def test_page_size_does_not_change_the_records(tmp_path: Path) -> None:
    small = lines(simulated.pull(settings(days_per_page=1), {}, context(tmp_path)))
    large = lines(simulated.pull(settings(days_per_page=100), {}, context(tmp_path)))
    assert small == large


@pytest.mark.parametrize("kept_pages", [0, 1, 2, 3, 5, 6])
def test_resuming_after_any_page_gives_the_undisturbed_records(
    tmp_path: Path, kept_pages: int
) -> None:
    undisturbed = list(simulated.pull(settings(), {}, context(tmp_path)))
    assert len(undisturbed) == 6
    kept = undisturbed[:kept_pages]
    cursor = json.loads(json.dumps(kept[-1].cursor)) if kept else {}
    rest = list(simulated.pull(settings(), cursor, context(tmp_path)))
    assert lines([*kept, *rest]) == lines(undisturbed)


def test_late_order_changes_survive_a_resume_weeks_later(tmp_path: Path) -> None:
    whole = lines(simulated.pull(settings(days=50, days_per_page=25), {}, context(tmp_path)))
    first, second = settings(days=25), settings(days=50)
    pages = list(simulated.pull(first, {}, context(tmp_path)))
    pages += simulated.pull(second, pages[-1].cursor, context(tmp_path))
    assert sorted(lines(pages)) == sorted(whole)


def test_a_second_pull_lands_nothing(tmp_path: Path) -> None:
    pages = list(simulated.pull(settings(), {}, context(tmp_path)))
    assert list(simulated.pull(settings(), pages[-1].cursor, context(tmp_path))) == []


def test_fewer_days_than_done_keep_the_truth_of_all_days(tmp_path: Path) -> None:
    pages = list(simulated.pull(settings(days=6), {}, context(tmp_path)))
    assert list(simulated.pull(settings(days=3), pages[-1].cursor, context(tmp_path))) == []
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["products"][0]["daily"]["mood"]) == 6


@pytest.mark.parametrize(
    "change",
    [{"seed": 9}, {"posts_per_product_day": 9}, {"shop": "none_all"}, {"currency": "EUR"}],
)
def test_changed_settings_are_refused_with_the_old_cursor(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    cursor = next(simulated.pull(settings(), {}, context(tmp_path))).cursor
    with pytest.raises(ExtractError, match="only `days` may grow"):
        list(simulated.pull(settings(**change), cursor, context(tmp_path)))


def test_a_changed_catalogue_is_refused_with_the_old_cursor(tmp_path: Path) -> None:
    cursor = next(simulated.pull(settings(), {}, context(tmp_path))).cursor
    with pytest.raises(ExtractError, match="catalogue"):
        list(simulated.pull(settings(), cursor, context(tmp_path, CATALOGUE[:2])))


@pytest.mark.parametrize("cursor", [{"next_day": "3"}, {"next_day": -1}, {"other": 1}])
def test_an_unreadable_cursor_is_named(tmp_path: Path, cursor: dict[str, Any]) -> None:
    with pytest.raises(ExtractError, match="next_day"):
        list(simulated.pull(settings(), cursor, context(tmp_path)))


def test_an_empty_catalogue_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="no products") as caught:
        list(simulated.pull(settings(), {}, context(tmp_path, ())))
    assert "products.csv" in caught.value.remedy


def test_a_product_that_no_post_can_mention_is_named_with_its_column(tmp_path: Path) -> None:
    mute = product("mute", sku=("MUTE-1",))
    with pytest.raises(ExtractError, match=r"terms.csv: product 'mute' .*columns term and kind"):
        list(simulated.pull(settings(), {}, context(tmp_path, (*CATALOGUE, mute))))


def test_a_scenario_for_an_unknown_product_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="'nobody'"):
        list(simulated.pull(settings(scenarios={"nobody": "none"}), {}, context(tmp_path)))


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExtractError, match="Mars/Olympus"):
        list(simulated.pull(settings(), {}, context(tmp_path, timezone="Mars/Olympus")))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"scenarios": {"lumivo": "lead_99"}}, "known are"),
        ({"scenarios": {"lumivo": {"kind": "social_leads", "lag_days": 2}}}, "uplift_ratio"),
        ({"scenarios": {"lumivo": {"kind": "sales_lead"}}}, "lag_days"),
        ({"scenarios": {"lumivo": {"kind": "none", "lag_days": 2}}}, "takes neither"),
        ({"days": 0}, "days"),
        ({"speed": 3}, "speed"),
        ({"currency": "dollars"}, "currency"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings(**wrong)


@pytest.mark.parametrize(
    "one",
    [
        product("plain", category="kitchen", keyword=("plain",), sku=("P-1",)),
        product("tag", hashtag=("#OnlyTag",), sku=("T-1",)),
        product("hand", handle=("@only_handle",), sku=("H-1",)),
        product("cash", cashtag=("$ONLY",), sku=("C-1",)),
        product("zelt", category="キャンプ", keyword=("テント", "größe zelt"), sku=("Z-1",)),
    ],
    ids=lambda one: one.product_id,
)
def test_any_one_product_will_do(tmp_path: Path, one: Product) -> None:
    wanted = settings(days=4)
    records = [
        record
        for page in simulated.pull(wanted, {}, context(tmp_path, (one,)))
        for record in page.records
    ]
    counts = Counter(record.stream for record in records)
    assert counts["x/posts"] > 10
    assert counts["shopify/orders"] > 10
    terms = [term.lower() for kind, some in one.terms.items() if kind != "sku" for term in some]
    texts = [record.payload["text"].lower() for record in records if record.stream == "x/posts"]
    mentioned = sum(any(term in text for term in terms) for text in texts)
    assert mentioned / len(texts) > 0.85


def test_a_product_without_sku_is_talked_about_but_not_sold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unsold = product("unsold", keyword=("unsold",))
    pages = list(simulated.pull(settings(days=5), {}, context(tmp_path, (unsold,))))
    streams = Counter(record.stream for page in pages for record in page.records)
    assert streams["x/posts"] > 0
    assert streams["shopify/orders"] == 0
    assert streams["storefront/reviews"] == 0
    assert "unsold" in caplog.text
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert truth["products"][0]["is_sold"] is False
    assert truth["products"][0]["direction"] == "none"
    assert set(truth["products"][0]["daily"]["units"]) == {0}


def test_fifty_products_share_the_rotation(tmp_path: Path) -> None:
    many = tuple(product(f"brand{number:02d}") for number in range(50))
    pages = list(
        simulated.pull(settings(days=1, posts_per_product_day=3), {}, context(tmp_path, many))
    )
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["products"]) == 50
    assert Counter(one["direction"] for one in truth["products"])["social_leads"] == 17
    assert sum(record.stream == "shopify/orders" for page in pages for record in page.records) > 800


def test_max_products_takes_the_first_ones(tmp_path: Path) -> None:
    list(simulated.pull(settings(days=1, max_products=2), {}, context(tmp_path)))
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text(encoding="utf-8"))
    assert [one["product_id"] for one in truth["products"]] == ["lumivo", "medlar"]


def test_no_posts_at_all_is_possible(tmp_path: Path) -> None:
    pages = list(simulated.pull(settings(posts_per_product_day=0), {}, context(tmp_path)))
    streams = Counter(record.stream for page in pages for record in page.records)
    assert streams["x/posts"] == streams["reddit/submissions"] == 0
    assert streams["shopify/orders"] > 0


@pytest.mark.parametrize("timezone", ["America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_what_is_fetched_on_a_day_happened_by_then_and_lies_on_its_business_day(
    tmp_path: Path, timezone: str
) -> None:
    # The start is chosen so that clocks change in New York during the pull.
    wanted = settings(start_date=date(2026, 3, 5), days=7)
    zone = ZoneInfo(timezone)
    seen: set[date] = set()
    first_versions: set[str] = set()
    for page in simulated.pull(wanted, {}, context(tmp_path, timezone=timezone)):
        for record in page.records:
            if record.stream != "x/posts" or len(record.payload["edit_history_post_ids"]) > 1:
                continue
            created = datetime.fromisoformat(record.payload["created_at"])
            assert created < record.fetched_at
            seen.add(created.astimezone(zone).date())
            if record.record_id not in first_versions:
                first_versions.add(record.record_id)
                waited = record.fetched_at - created
                assert waited <= timedelta(hours=25, minutes=10)
    assert seen == {date(2026, 3, 5) + timedelta(days=day) for day in range(7)}


def test_fetched_at_never_goes_back(tmp_path: Path) -> None:
    last = datetime(2000, 1, 1, tzinfo=UTC)
    for page in simulated.pull(settings(), {}, context(tmp_path)):
        for record in page.records:
            assert record.fetched_at.utcoffset() == timedelta(0)
            assert record.fetched_at >= last
            last = record.fetched_at


def test_truth_is_whole_and_finite(tmp_path: Path) -> None:
    next(simulated.pull(settings(days=30), {}, context(tmp_path)))  # written before any page
    folder = tmp_path / "truth"
    assert [path.name for path in folder.iterdir()] == ["truth.json"]
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert truth["days"] == 30
    for one in truth["products"]:
        daily = one["daily"]
        assert {len(values) for values in daily.values()} == {30}
        assert all(math.isfinite(value) for value in daily["mood"] + daily["expected_units"])


def test_an_unwritable_truth_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "truth").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(ExtractError, match="truth of the simulation"):
        next(simulated.pull(settings(), {}, context(tmp_path)))


def test_the_demo_catalogue_can_be_simulated(repository: Path, tmp_path: Path) -> None:
    catalogue = demo_catalogue(repository)
    assert len(catalogue) == 9
    assert len({one.brand for one in catalogue}) == 9
    assert any(" " in term for one in catalogue for term in one.terms["keyword"])
    assert any("exclusion" in one.terms for one in catalogue)
    assert all(1 <= len(one.terms["sku"]) <= 3 for one in catalogue)
    assert {one.category for one in catalogue} >= {"AI chatbots", "analytics tools", "AI checkout"}
    page = next(simulated.pull(settings(days=1), {}, context(tmp_path, catalogue)))
    assert page.records


def demo_catalogue(repository: Path) -> tuple[Product, ...]:
    """The two seeds of the demo as the pipeline reads them."""
    import csv

    seeds = repository / "dbt_project" / "seeds"
    terms: dict[str, dict[str, list[str]]] = {}
    with (seeds / "terms.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            terms.setdefault(row["product_id"], {}).setdefault(row["kind"], []).append(row["term"])
    with (seeds / "products.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Product(
                row["product_id"],
                row["product_name"],
                row["brand"],
                row["category"],
                {kind: tuple(found) for kind, found in terms[row["product_id"]].items()},
            )
            for row in csv.DictReader(file)
        )
