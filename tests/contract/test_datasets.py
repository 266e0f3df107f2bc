"""The data-set source as a source: cursor, resuming, changed files, the real data sets."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from extract import datasets
from extract.base import Source
from extract.datasets import MappingError, batches, dry_run, pulling
from pipeline import mapping_command
from tests.dataset_files import (
    POSTS,
    SALES,
    context,
    pull_all,
    pull_pages,
    with_columns,
    write_mapping,
)

FIRST_TIMED_ID = 30_000_000_000
"""Posts of X from November 2010 on have ids that hold their time."""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(first: int, last: int) -> str:
    return "".join(f"{number},text {number}\n" for number in range(first, last + 1))


def ids(pages: list[Any]) -> list[str]:
    return [record.payload["post_id"] for page in pages for record in page.records]


def test_it_is_a_source() -> None:
    source: Source = datasets
    assert source.NAME == "datasets"
    assert set(source.STREAMS) == {
        ("datasets", kind) for kind in ("posts", "sales", "reviews", "metrics")
    }
    assert source.IS_SIMULATED is False


def test_records_carry_stream_id_and_clock(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n" + rows(1, 2))
    records, _ = pull_all(tmp_path, POSTS)
    assert {record.stream for record in records} == {"datasets/posts"}
    assert all(record.fetched_at.tzinfo is UTC for record in records)
    assert records[0].record_id == "tiny|1"
    assert records[0].payload["dataset"] == "tiny"


def test_unchanged_files_are_not_read_again(tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", "id,text\n" + rows(1, 3))
    pages = pull_pages(tmp_path, [POSTS])
    cursor = json.loads(json.dumps(pages[-1].cursor))
    assert pull_pages(tmp_path, [POSTS], cursor) == []
    # A new modification time alone is no change either.
    os.utime(file, ns=(1, 1))
    assert ids(pull_pages(tmp_path, [POSTS], cursor)) == []


def test_changed_and_new_files_are_landed(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n" + rows(1, 2))
    write(tmp_path, "b.csv", "id,text\n" + rows(3, 4))
    cursor = pull_pages(tmp_path, [POSTS])[-1].cursor
    write(tmp_path, "b.csv", "id,text\n" + rows(3, 5))
    write(tmp_path, "c.csv", "id,text\n" + rows(6, 6))
    assert ids(pull_pages(tmp_path, [POSTS], cursor)) == ["3", "4", "5", "6"]


def test_a_changed_mapping_lands_again(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n" + rows(1, 2))
    cursor = pull_pages(tmp_path, [POSTS])[-1].cursor
    changed = with_columns(POSTS, {"language": {"constant": "en"}})
    assert ids(pull_pages(tmp_path, [changed], cursor)) == ["1", "2"]


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_stopped_pull_goes_on_without_loss_or_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr(pulling, "BATCH_ROWS", 4)
    lines = "day,n,sku\n" + "2020-01-01,1,a\n" * 7 + "bad,1,a\n" + "2020-01-01,1,a\n" * 6
    write(tmp_path, "a.csv", lines)
    write(tmp_path, "b.csv", "day,n,sku\n2020-01-02,1,a\n")
    whole = pull_pages(tmp_path, [SALES])
    assert len(whole) > stop_after
    expected = [record.record_id for page in whole for record in page.records]
    assert len(set(expected)) == 14

    settings = datasets.Settings(folder=tmp_path, mappings=(Path("m0.yml"),))
    before, cursor = [], {}
    rejects = 0
    for number, page in enumerate(datasets.pull(settings, {}, context(tmp_path)), start=1):
        before += [record.record_id for record in page.records]
        rejects += len(page.rejects)
        cursor = json.loads(json.dumps(page.cursor))
        if number == stop_after:
            break
    after = list(datasets.pull(settings, cursor, context(tmp_path)))
    found = before + [record.record_id for page in after for record in page.records]
    assert found == expected
    assert rejects + sum(len(page.rejects) for page in after) == 1
    assert list(datasets.pull(settings, after[-1].cursor, context(tmp_path))) == []


def test_a_mapping_that_lets_no_row_through_stays_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "day,n,sku\n31.12.2020,1,a\n")
    write_mapping(tmp_path, SALES, "m0.yml")
    settings = datasets.Settings(folder=tmp_path, mappings=(Path("m0.yml"),))
    pages = datasets.pull(settings, {}, context(tmp_path))
    page = next(pages)
    assert (len(page.records), len(page.rejects)) == (0, 1)
    with pytest.raises(MappingError, match="none of 1 rows"):
        next(pages)
    with pytest.raises(MappingError, match="no row that could be read"):
        next(datasets.pull(settings, page.cursor, context(tmp_path)))


def test_many_small_files_share_a_page(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, f"{number:03}.csv", f"id,text\n{number},x\n")
    pages = pull_pages(tmp_path, [POSTS])
    assert len(pages) == 1
    assert len(pages[0].records) == 40


def test_files_with_other_columns_in_one_pull(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n1,a\n")
    write(tmp_path, "b.csv", "text,more,id\nb,x,2\n")
    assert ids(pull_pages(tmp_path, [POSTS])) == ["1", "2"]


def test_a_file_that_grows_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "a.csv", "id,text\n" + rows(1, 2))
    original = batches.BatchMaker.batches

    def grow(self: Any, files: Any) -> Any:
        for parts in original(self, files):
            with file.open("a", encoding="utf-8") as stream:
                stream.write("3,late\n")
            yield parts

    monkeypatch.setattr(batches.BatchMaker, "batches", grow)
    with pytest.raises(MappingError, match="changed while it was read"):
        pull_pages(tmp_path, [POSTS])


def test_mappings_are_checked_before_anything_lands(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n1,a\n")
    write_mapping(tmp_path, POSTS, "good.yml")
    write_mapping(tmp_path, {**POSTS, "files": "none/*.csv"}, "bad.yml")
    settings = datasets.Settings(folder=tmp_path, mappings=(Path("good.yml"), Path("bad.yml")))
    with pytest.raises(MappingError, match="no file matches"):
        next(datasets.pull(settings, {}, context(tmp_path)))
    with pytest.raises(MappingError, match="no mapping"):
        next(datasets.pull(datasets.Settings(), {}, context(tmp_path)))


def test_the_folder_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_FOLDER", str(tmp_path))
    assert datasets.Settings.model_validate({"folder": "${SOME_FOLDER}/x"}).folder == tmp_path / "x"
    with pytest.raises(ValueError, match="UNSET_FOLDER is not set"):
        datasets.Settings.model_validate({"folder": "$UNSET_FOLDER"})


def test_memory_is_bounded_by_the_batch(tmp_path: Path) -> None:
    count = 45_000
    write(tmp_path, "a.csv", "id,text\n" + rows(1, count))
    pages = pull_pages(tmp_path, [POSTS])
    assert [len(page.records) for page in pages] == [20_000, 20_000, 5_000]


# The command ------------------------------------------------------------------------------------


def run_command(*arguments: str) -> Any:
    app = typer.Typer()
    mapping_command.register(app)
    return CliRunner().invoke(app, ["mapping", "check", *arguments])


def test_the_command_shows_records_counts_and_reasons(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text,n\n1,bell \x07 [red]x[/red],1\n2,b,bad\n3,c,2\n1,d,2\n")
    mapping = write_mapping(tmp_path, with_columns(POSTS, {"like_count": "n"}, where="n <> '2'"))
    result = run_command(str(mapping), "--rows", "1")
    assert result.exit_code == 0, result.output
    assert "\x07" not in result.output
    assert "[red]x[/red]" in result.output
    assert "rejected 1: like_count is no number" in result.output
    assert "a.csv:3" in result.output
    assert "invented" in result.output
    assert "CC0" in result.output


def test_the_command_tells_when_nothing_would_land(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n,a\n")
    result = run_command(str(write_mapping(tmp_path, POSTS)))
    assert result.exit_code == 3
    assert "post_id is missing" in result.output


@pytest.mark.parametrize(
    ("name", "landed", "rejected"),
    [("posts", 6, 1), ("sales", 6, 1), ("reviews", 3, 0), ("metrics", 6, 0)],
)
def test_the_worked_examples(repository: Path, name: str, landed: int, rejected: int) -> None:
    folder = repository / "examples" / "worked"
    result = dry_run(folder / f"{name}.yml", folder)
    assert (result.landed_count, sum(result.reasons.values())) == (landed, rejected)


# The real data sets -----------------------------------------------------------------------------


def example(repository: Path, name: str, **keys: Any) -> Any:
    mapping = datasets.load_mapping(repository / "examples" / name)
    return mapping.model_copy(update=keys)


@pytest.mark.shared
def test_stocknet_tweets(repository: Path, shared: Path) -> None:
    mapping = example(repository, "stocknet/posts.yml", files=("tweet/raw/PEP/*",))
    result = dry_run(mapping, shared / "data", limit=10_000)
    assert result.landed_count == result.row_count == 602
    assert not result.reasons
    posts = result.first_records
    assert all(post["post_id"].isdigit() for post in posts)
    assert {post["like_count"] for post in posts} == {None}
    assert all(post["is_repost"] == (post["reposted_post_id"] is not None) for post in posts)
    assert all("product_key" not in post for post in posts)
    originals = example(repository, "stocknet/reposted.yml", files=("tweet/raw/PEP/*",))
    reposted = dry_run(originals, shared / "data", limit=10_000)
    assert reposted.landed_count == sum(post["is_repost"] for post in posts)
    assert reposted.landed_count + reposted.filtered_count == 602
    assert any(post["like_count"] for post in reposted.first_records)


@pytest.mark.shared
def test_stocknet_prices(repository: Path, shared: Path) -> None:
    result = dry_run(repository / "examples/stocknet/prices.yml", shared / "data", limit=2)
    assert (result.row_count, result.landed_count, result.filtered_count) == (7_548, 7_284, 3_906)
    assert {item["product_key"] for item in result.first_records} == {"AMZN"}


@pytest.mark.shared
def test_online_retail_days(repository: Path, shared: Path) -> None:
    files = ("data/retail-data/by-day/2010-12-0*.csv",)
    mapping = example(repository, "online_retail/sales.yml", files=files)
    result = dry_run(mapping, shared / "data", limit=100_000)
    assert not result.reasons
    assert result.landed_count == result.row_count > 15_000
    assert result.repeated_count == 0
    kinds = Counter(item["kind"] for item in result.first_records)
    assert set(kinds) == {"sale", "return", "adjustment", "other_charge"}
    returns = [item for item in result.first_records if item["kind"] == "return"]
    assert all(item["quantity"] < 0 and item["order_id"].startswith("C") for item in returns)
    assert any(item["customer_id"] is None for item in result.first_records)
    repeated = [i for i in result.first_records if not i["line_id"].endswith("-1")]
    assert repeated


@pytest.mark.shared
def test_steam_reviews(repository: Path, shared: Path) -> None:
    result = dry_run(repository / "examples/steam_reviews/reviews.yml", shared / "data", limit=300)
    assert (result.landed_count, len(result.files)) == (22_644, 21)
    assert not result.reasons
    assert {item["is_recommended"] for item in result.first_records} == {True, False}


@pytest.mark.shared
def test_fivethirtyeight_tweets(repository: Path, shared: Path) -> None:
    mapping = repository / "examples/fivethirtyeight/posts.yml"
    result = dry_run(mapping, shared / "data", limit=10_000)
    assert (result.landed_count, len(result.reasons)) == (6_439, 0)
    posts = result.first_records
    # The ids hold the time: the mapping's zone and format give the same minute.
    for post in posts:
        seconds = ((int(post["post_id"]) >> 22) + 1_288_834_974_657) // 1000
        minute = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:00Z")
        assert int(post["post_id"]) < FIRST_TIMED_ID or post["created_at"] == minute
    wrong = example(repository, "fivethirtyeight/posts.yml", encoding="utf-8")
    with pytest.raises(MappingError, match="is not utf-8"):
        dry_run(wrong, shared / "data")
