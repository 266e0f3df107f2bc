"""`social-signals analyse` on good and bad tables: a verdict with its reason, or a named error."""

from __future__ import annotations

import csv
import json
import re
import runpy
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from charts.explain import headline
from pipeline import analysing
from pipeline.analysing import Analysis, analyse
from pipeline.daily_files import DailyFileError, Wanted, open_daily
from udfs.errors import SocialSignalsError

Row = dict[str, Any]
HEAD = ("product_id", "date", "units", "sentiment_mean", "sentiment_se", "posts")
FIRST = np.datetime64("2026-01-05")  # a Monday
DAYS = 120
LEAD = 3


@cache
def _series(seed: int, days: int, *, is_linked: bool) -> tuple[tuple[Any, ...], ...]:
    random = np.random.default_rng(seed)
    mood = np.zeros(days + 20)
    for day in range(1, days + 20):
        mood[day] = 0.5 * mood[day - 1] + random.normal(0, 0.2)
    posts = random.poisson(40, days) + 3
    error = 0.5 / np.sqrt(posts)
    observed = mood[20:] + random.normal(0, 1, days) * error
    season = 0.2 * np.sin(2 * np.pi * np.arange(days) / 7)
    push = 0.5 * mood[20 - LEAD : days + 20 - LEAD] / mood.std() if is_linked else 0.0
    units = random.poisson(np.exp(3.8 + season + push + random.normal(0, 0.1, days)))
    return tuple(
        (str(FIRST + day), int(units[day]), round(float(observed[day]), 4),
         round(float(error[day]), 4), int(posts[day]))
        for day in range(days)
    )  # fmt: skip


def product(name: str, *, seed: int = 0, days: int = DAYS, is_linked: bool = False) -> list[Row]:
    """The rows of one product; with `is_linked` its mood precedes its units by three days."""
    return [dict(zip(HEAD, (name, *values), strict=True))
            for values in _series(seed, days, is_linked=is_linked)]  # fmt: skip


def shop(count: int = 3, **changed: Any) -> list[Row]:
    """A linked product "a" and others without a link."""
    rows = product("a", seed=1, is_linked=True, **changed)
    for number in range(1, count):
        rows += product("bcdefghij"[number - 1], seed=10 + number, **changed)
    return rows


def write(file: Path, rows: Sequence[Row], delimiter: str = ",") -> Path:
    """Rows as a text file; the columns are those of the first row."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file


def analysed(file: Path, **wanted: str) -> Analysis:
    return analyse(open_daily(file, Wanted(**wanted)))


def by_product(found: Analysis) -> dict[str, Row]:
    return {result.row["product_id"]: result.row for result in found.results}


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Sequence[Row]], Analysis]:
    def analyse_rows(rows: Sequence[Row]) -> Analysis:
        return analysed(write(tmp_path / "daily.csv", rows))

    return analyse_rows


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What is said of the plain shop."""
    folder = tmp_path_factory.mktemp("usual")
    return [result.row for result in analysed(write(folder / "daily.csv", shop())).results]


def test_a_planted_lead_is_found_with_its_lag(usual: list[Row]) -> None:
    found = {row["product_id"]: row for row in usual}
    assert found["a"]["verdict"] == "social_leads"
    assert abs(found["a"]["lag_days"] - LEAD) <= 1
    assert 0 < found["a"]["lo"] < found["a"]["uplift"] < found["a"]["hi"]
    assert found["a"]["direction"] == "same"
    assert {found[name]["verdict"] for name in "bc"} <= {"none", "watchlist"}
    assert found["b"]["uplift"] is None
    assert found["b"]["minimum_detectable_effect"] > 0
    assert found["a"]["products_tested"] == 3


# Bad series -------------------------------------------------------------------------------------


def changed(rows: Sequence[Row], name: str, **values: Any) -> list[Row]:
    """The rows with columns of one product replaced by a constant or a function of the row."""
    return [
        {**row, **{k: v(row) if callable(v) else v for k, v in values.items()}}
        if row["product_id"] == name
        else dict(row)
        for row in rows
    ]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"units": 7}, "units never changes: 7 on every day"),
        ({"units": 0}, "units never changes: 0 on every day"),
        ({"sentiment_mean": 0.25}, "mood never changes: 0.25 on every day"),
        ({"units": "", "sentiment_mean": ""}, "no day has both mood and units"),
        ({"posts": 1}, "fewer than 3 posts a day"),
    ],
)
def test_a_series_that_cannot_be_tested_says_why(
    run: Callable[..., Analysis], values: Row, reason: str
) -> None:
    found = by_product(run(changed(shop(), "b", **values)))
    assert found["b"]["verdict"] == "insufficient"
    assert reason in found["b"]["reason"]
    assert found["b"]["p"] is None
    assert found["a"]["verdict"] == "social_leads"


def test_a_day_of_more_returns_than_sales_is_not_counted_and_named(
    run: Callable[..., Analysis],
) -> None:
    rows = shop()
    rows[9] = {**rows[9], "units": -3}
    result = run(rows)
    found = by_product(result)["a"]
    assert found["verdict"] == "social_leads"
    assert found["n_days"] == DAYS - 1
    assert f"units negative on 1 day, first on {rows[9]['date']} (line 11)" in found["reason"]
    assert "product 'a'" in " ".join(result.notices)


def test_units_that_are_often_negative_block_their_product(run: Callable[..., Analysis]) -> None:
    rows = [
        {**row, "units": -row["units"]} if number % 8 == 0 and row["product_id"] == "b" else row
        for number, row in enumerate(shop())
    ]
    result = run(rows)
    found = by_product(result)["b"]
    assert (found["verdict"], found["gate"]) == ("insufficient", "blocked")
    assert f"units negative on 15 days, first on 2026-01-05 (line {DAYS + 2})" in found["reason"]
    assert [problem for problem in result.problems if "'b'" in problem]


@pytest.mark.parametrize("value", ["inf", "-inf", "1e999", "1e300"])
def test_infinite_units_block_their_product_and_name_the_line(
    run: Callable[..., Analysis], value: object
) -> None:
    rows = shop()
    rows[DAYS + 9] = {**rows[DAYS + 9], "units": value}
    result = run(rows)
    found = by_product(result)
    assert found["b"]["verdict"] == "insufficient"
    assert found["b"]["gate"] == "blocked"
    day = rows[DAYS + 9]["date"]
    assert f"on 1 day, first on {day} (line {DAYS + 11})" in found["b"]["reason"]
    assert [problem for problem in result.problems if "'b'" in problem]
    assert found["a"]["verdict"] == "social_leads"


def test_a_metric_may_be_negative_and_then_has_no_percentage(tmp_path: Path) -> None:
    rows = [{**row, "net": row["units"] - 45} for row in shop()]
    found = by_product(analysed(write(tmp_path / "daily.csv", rows), metric="net"))
    assert found["a"]["verdict"] == "social_leads"
    assert found["a"]["uplift"] is None
    assert "no percentage" in found["a"]["percentage_reason"]


def test_one_product_and_one_day(run: Callable[..., Analysis]) -> None:
    found = by_product(run(product("only", seed=1, days=1)))
    assert found["only"]["verdict"] == "insufficient"
    assert found["only"]["reason"] == "1 of 90 days with both mood and units"
    assert found["only"]["what_is_missing"] == "89 more days with both mood and units"
    assert by_product(run(product("only", seed=1, is_linked=True)))["only"]["verdict"] == (
        "social_leads"
    )


def test_rows_that_repeat_word_for_word_count_once(
    run: Callable[..., Analysis], usual: list[Row]
) -> None:
    twice = run([row for row in shop() for _ in range(2)])
    assert [r.row for r in twice.results] == usual
    assert "360 rows repeated word for word" in " ".join(twice.notices)
    assert not twice.problems


def test_a_day_told_twice_blocks_its_product_and_names_both_lines(
    run: Callable[..., Analysis],
) -> None:
    rows = shop()
    result = run([*rows, {**rows[DAYS + 4], "units": 999}])
    found = by_product(result)
    day = rows[DAYS + 4]["date"]
    assert found["b"]["reason"] == (
        f"1 day with several rows that differ, first on {day} (lines {DAYS + 6}, {3 * DAYS + 2})"
    )
    assert found["a"]["verdict"] == "social_leads"


def test_days_told_twice_in_every_product_are_an_error(tmp_path: Path) -> None:
    rows = [{**row, "units": row["units"] + extra} for row in shop() for extra in (0, 1)]
    with pytest.raises(DailyFileError, match=r"product 'a', .*2026-01-05 \(lines 2, 3\)"):
        analysed(write(tmp_path / "daily.csv", rows))


@pytest.mark.parametrize(("every", "rhythm"), [(7, "week"), (30, "month")])
def test_weekly_and_monthly_rows_are_not_daily_ones(
    run: Callable[..., Analysis], every: int, rhythm: str
) -> None:
    sparse = [
        {**row, "date": str(FIRST + every * number)}
        for number, row in enumerate(product("weekly", seed=5))
    ]
    found = by_product(run([*product("a", seed=1, is_linked=True), *sparse]))
    assert found["weekly"]["verdict"] == "insufficient"
    assert found["weekly"]["reason"].startswith(f"one row a {rhythm} (units)")
    assert found["a"]["verdict"] == "social_leads"


def test_weekly_sales_beside_a_daily_mood(run: Callable[..., Analysis]) -> None:
    rows = [
        {**row, "units": row["units"] if number % 7 == 0 else ""}
        for number, row in enumerate(product("b", seed=5))
    ]
    assert by_product(run(rows))["b"]["reason"].startswith("one row a week (units)")


# The calendar -----------------------------------------------------------------------------------


def _is_sunday(row: Row) -> bool:
    return bool((np.datetime64(row["date"]) - FIRST).astype(int) % 7 == 6)


def test_sundays_without_rows_are_closed_not_missing(run: Callable[..., Analysis]) -> None:
    found = by_product(run([row for row in shop() if not _is_sunday(row)]))
    assert found["a"]["missing_day_ratio"] == 0
    assert found["a"]["verdict"] == "social_leads"


def test_sundays_that_are_always_zero_are_closed_days(run: Callable[..., Analysis]) -> None:
    zero = [{**row, "units": 0} if _is_sunday(row) else row for row in shop()]
    absent = [{**row, "units": ""} if _is_sunday(row) else row for row in shop()]
    told, silent = run(zero), run(absent)
    assert [r.row["p"] for r in told.results] == [r.row["p"] for r in silent.results]
    assert "Sundays are 0 throughout in 3 products: taken as closed" in " ".join(told.notices)
    assert told.results[0].row["missing_day_ratio"] == 0


def test_closed_days_by_column_are_null_and_not_missing(run: Callable[..., Analysis]) -> None:
    def is_shut(row: Row) -> bool:
        return row["date"][-2:] in {"07", "13", "19", "25"}

    closed = [
        {**row, "closed": int(is_shut(row)), **({"units": 0} if is_shut(row) else {})}
        for row in shop()
    ]
    opened = [
        {**row, "is_open": "no" if is_shut(row) else "yes",
         **({"units": ""} if is_shut(row) else {})}
        for row in shop()
    ]  # fmt: skip
    first, second = run(closed), run(opened)
    assert [r.row for r in first.results] == [r.row for r in second.results]
    assert first.results[0].row["missing_day_ratio"] == 0
    gone = run([row for row in shop() if not is_shut(row)])
    assert gone.results[0].row["missing_day_ratio"] == pytest.approx(16 / 120, abs=0.02)
    assert gone.results[0].row["verdict"] == "insufficient"


def test_a_closed_day_with_sales_was_open(run: Callable[..., Analysis], usual: list[Row]) -> None:
    result = run([{**row, "closed": 1} for row in shop()])
    assert [r.row for r in result.results] == usual
    assert "360 closed days with sales: taken as open" in " ".join(result.notices)


def test_an_absent_row_is_a_gap_and_a_zero_is_a_zero(run: Callable[..., Analysis]) -> None:
    rows = shop()
    hole = [row for number, row in enumerate(rows) if number != 40]
    empty = [{**row, "units": "", "sentiment_mean": "", "posts": ""} if number == 40 else row
             for number, row in enumerate(rows)]  # fmt: skip
    zero = [{**row, "units": 0} if number == 40 else row for number, row in enumerate(rows)]
    a_hole, an_empty, a_zero = (by_product(run(each))["a"] for each in (hole, empty, zero))
    assert a_hole == an_empty
    assert a_hole["n_days"] == DAYS - 1
    assert a_zero["n_days"] == DAYS
    assert a_zero["p"] != a_hole["p"]


def test_days_without_posts_have_no_mood(run: Callable[..., Analysis]) -> None:
    rows = [
        {**row, "posts": 0, "sentiment_mean": 0.0} if number % 20 == 0 else row
        for number, row in enumerate(shop())
    ]
    result = run(rows)
    assert by_product(result)["a"]["n_days"] == DAYS - 6
    assert "18 days without posts" in " ".join(result.notices)


def test_products_with_other_windows_do_not_shorten_each_other(
    run: Callable[..., Analysis],
) -> None:
    alone = by_product(run(product("a", seed=1, is_linked=True)))["a"]
    longer = product("old", seed=7, days=400)
    moved = [{**row, "date": str(np.datetime64(row["date"]) - 300)} for row in longer]
    beside = by_product(run([*product("a", seed=1, is_linked=True), *moved]))
    assert beside["a"]["p"] == pytest.approx(alone["p"], rel=1e-5)
    assert beside["a"]["n_days"] == DAYS
    assert beside["old"]["n_days"] == 400


# Dates ------------------------------------------------------------------------------------------


DATES = {
    "iso": lambda day: day,
    "slashes": lambda day: day.replace("-", "/"),
    "compact": lambda day: day.replace("-", ""),
    "day first": lambda day: ".".join(reversed(day.split("-"))),
    "month first": lambda day: "/".join((*day.split("-")[1:], day[:4])),
    "utc": lambda day: f"{day}T00:00:00Z",
    "local": lambda day: f"{day} 09:30",
    "clock change": lambda day: f"{day}T00:00:00+0{1 if day < '2026-03-29' else 2}:00",
}


@pytest.mark.parametrize("form", DATES)
def test_dates_in_other_forms(run: Callable[..., Analysis], usual: list[Row], form: str) -> None:
    other = run([{**row, "date": DATES[form](row["date"])} for row in shop()])
    assert [r.row for r in other.results] == usual
    assert not other.problems


def test_dates_whose_order_cannot_be_told_are_an_error(tmp_path: Path) -> None:
    rows = [row for row in shop() if row["date"][-2:] <= "12"]
    told = [{**row, "date": DATES["month first"](row["date"])} for row in rows]
    with pytest.raises(DailyFileError, match="begins with the day or the month"):
        analysed(write(tmp_path / "daily.csv", told))


def test_dates_in_two_orders_are_an_error(tmp_path: Path) -> None:
    rows = [{**row, "date": DATES["day first"](row["date"]).replace(".", "/")} for row in shop()]
    rows[30]["date"] = "01/31/2026"
    with pytest.raises(DailyFileError, match=r"two orders: '13/01/2026' \(line 10\)"):
        analysed(write(tmp_path / "daily.csv", rows))


def test_one_product_in_two_zones_is_blocked(run: Callable[..., Analysis]) -> None:
    rows = changed(shop(), "a", date=lambda row: f"{row['date']}T12:00:00Z")
    rows = [
        {**row, "date": f"{row['date']}T12:00:00{'+09:00' if number % 2 else 'Z'}"}
        if row["product_id"] == "b"
        else row
        for number, row in enumerate(rows)
    ]
    result = run(rows)
    found = by_product(result)
    assert "times in two zones (+09:00 and Z" in found["b"]["reason"]
    assert f"lines {DAYS + 3}, {DAYS + 2}" in found["b"]["reason"]
    assert found["a"]["verdict"] == "social_leads"
    assert result.problems


@pytest.mark.parametrize(("wrong", "is_blocked"), [(3, False), (13, True)])
def test_rows_that_cannot_be_read_are_set_aside_and_named(
    run: Callable[..., Analysis], wrong: int, is_blocked: bool
) -> None:
    rows = shop()
    for number in range(wrong):
        rows[DAYS + 2 * number]["date" if number % 2 else "units"] = "many"
    result = run(rows)
    found = by_product(result)["b"]
    told = " ".join(result.problems)
    assert f"{wrong} " in told
    assert f"for instance units 'many' (lines {DAYS + 2}, {DAYS + 4}, {DAYS + 6})" in told
    assert (found["gate"] == "blocked") == is_blocked
    if not is_blocked:
        assert found["n_days"] == DAYS - wrong


def test_a_day_a_century_away_is_named(run: Callable[..., Analysis]) -> None:
    rows = shop()
    rows[0]["date"] = "1926-01-05"
    assert "from 1926-01-05 to" in by_product(run(rows))["a"]["reason"]


# Files ------------------------------------------------------------------------------------------


def _with_bom(rows: Sequence[Row], folder: Path) -> Path:
    file = write(folder / "bom.csv", rows)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    return file


def _decimal_comma(rows: Sequence[Row], folder: Path) -> Path:
    told = [
        {k: str(v).replace(".", ",") if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]
    return write(folder / "comma.csv", told, ";")


def _thousands(rows: Sequence[Row], folder: Path) -> Path:
    return write(folder / "thousands.csv", [{**row, "posts": f"{row['posts']:,}"} for row in rows])


def _utf16(rows: Sequence[Row], folder: Path) -> Path:
    file = write(folder / "wide.csv", rows)
    file.write_bytes(file.read_text().encode("utf-16"))
    return file


def _jsonl(rows: Sequence[Row], folder: Path) -> Path:
    file = folder / "daily.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _parquet(rows: Sequence[Row], folder: Path) -> Path:
    table = pa.Table.from_pylist(list(rows))
    days = table.column("date").cast(pa.date32())
    pq.write_table(table.set_column(1, "date", days), folder / "daily.parquet")
    return folder / "daily.parquet"


def _moments(rows: Sequence[Row], folder: Path) -> Path:
    table = pa.Table.from_pylist(list(rows))
    days = table.column("date").cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(1, "date", days), folder / "daily.parquet")
    return folder / "daily.parquet"


def _other_names(rows: Sequence[Row], folder: Path) -> Path:
    names = {"product_id": " Product ID", "date": "date_day", "posts": "posts_count"}
    return write(folder / "n.csv", [{names.get(k, k): v for k, v in r.items()} for r in rows])


@pytest.mark.parametrize(
    "form",
    [
        _with_bom, _decimal_comma, _thousands, _utf16, _jsonl, _parquet, _moments, _other_names,
        lambda rows, folder: write(folder / "daily.tsv", rows, "\t"),
        lambda rows, folder: write(folder / "daily.csv", rows, "|"),
    ],
)  # fmt: skip
def test_the_same_table_in_other_files(
    tmp_path: Path, usual: list[Row], form: Callable[[Sequence[Row], Path], Path]
) -> None:
    other = analysed(form(shop(), tmp_path))
    assert [r.row for r in other.results] == usual
    assert not other.problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "holds no header"),
        ("product_id,date,units,sentiment_mean\n", "holds no row"),
        ("product_id,day_of,units,sentiment_mean\n", r"no column 'date' \(nearest: 'day_of'\)"),
        ("product,date,unit,sentiment_mean\na,2026-01-01,1,0\n",
         r"'product_id' \(nearest: 'product'\), 'units' \(nearest: 'unit'\)"),
        ("product_id,date,units,units,sentiment_mean\n", "names a column twice: 'units'"),
        ('product_id,date,units,sentiment_mean\n"a,2026-01-01,1,0\n', "close every quote"),
        ("product_id,date,units,sentiment_mean\na,2026-01-01,1,0,5\na,2026-01-02,1,0,5\n",
         "more or fewer cells than the header: 2, the first is line 2"),
    ],
)  # fmt: skip
def test_files_that_are_no_such_table(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "daily.csv").write_text(content)
    with pytest.raises(SocialSignalsError) as caught:
        analysed(tmp_path / "daily.csv")
    assert re.search(message, str(caught.value))
    assert caught.value.remedy


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_that_breaks_off_far_down_names_the_line(tmp_path: Path, suffix: str) -> None:
    """What a reader finds in a later piece reaches the user as it is."""
    rows = shop() * (1 if suffix == ".csv" else 183)
    if suffix == ".csv":
        file = write(tmp_path / "daily.csv", rows)
        lines = file.read_text().splitlines()
        told = [line + ",1" if number % 3 == 1 else line for number, line in enumerate(lines)]
        file.write_text("\n".join(told))
        message = "more or fewer cells than the header: 120, the first is line 2"
    else:
        file = _jsonl(rows, tmp_path)
        file.write_text(file.read_text() + "{oops\n")
        message = f"line {len(rows) + 1}: not JSON"
    with pytest.raises(SocialSignalsError, match=message):
        analysed(file)


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    """Names over two lines and blank lines before a bad row do not shift its number."""
    rows = shop(2)
    rows[DAYS] = {**rows[DAYS], "units": -1}
    name = 'x,\n"y"'
    file = write(tmp_path / "daily.csv", [*product(name, seed=3, days=2), *rows])
    text = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*text[:3], "\n", "\n", *text[3:]]))
    line = next(n for n, each in enumerate(file.read_text().splitlines(), 1) if ",-1," in each)
    found = analysed(file)
    assert f"(line {line})" in by_product(found)["b"]["reason"]
    assert name in by_product(found)


def test_what_is_lost_without_the_optional_columns_is_said(tmp_path: Path) -> None:
    bare = [{key: row[key] for key in HEAD[:4]} | {"promos": 0} for row in shop()]
    found = analysed(write(tmp_path / "daily.csv", bare))
    told = " ".join(found.notices)
    assert "No column of standard errors" in told
    assert "No column posts" in told
    assert "'promos' is not used. Should it be 'promo'?" in told
    assert by_product(found)["a"]["verdict"] == "social_leads"
    assert by_product(found)["a"]["reliability"] is None


# What does not matter ---------------------------------------------------------------------------


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 1_000_000))
def test_the_order_of_rows_products_and_columns_does_not_matter(
    tmp_path: Path, usual: list[Row], seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = shop()
    names = [HEAD[i] for i in random.permutation(len(HEAD))]
    mixed = [{name: rows[i][name] for name in names} for i in random.permutation(len(rows))]
    other = analysed(write(tmp_path / "other.csv", mixed))
    assert [r.row for r in other.results] == usual


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(days=st.integers(1, 300), offset=st.integers(-400, 400))
def test_another_product_does_not_change_a_p_value(
    tmp_path: Path, usual: list[Row], days: int, offset: int
) -> None:
    stranger = [
        {**row, "date": str(np.datetime64(row["date"]) + offset)}
        for row in product("stranger", seed=9, days=days)
    ]
    beside = by_product(analysed(write(tmp_path / "beside.csv", [*shop(), *stranger])))
    for row in usual:
        for key in ("p", "reverse_p", "signal_sd", "reliability", "minimum_detectable_effect"):
            assert beside[row["product_id"]][key] == pytest.approx(row[key], rel=1e-4), key


def test_the_worked_example_says_what_the_page_shows(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = repository / "examples" / "worked" / "make_daily.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "daily.csv")])
    runpy.run_path(str(script), run_name="__main__")
    found = by_product(analysed(tmp_path / "daily.csv"))
    page = (repository / "docs" / "analyse.md").read_text(encoding="utf-8")
    for name, row in found.items():
        words = row["verdict"].replace("none", "no reliable link")
        lag = f"{row['lag_days']:+d}" if row["lag_days"] else ""
        assert re.search(rf"^ {{4}}{name} +{row['n_days']}  {words} +{re.escape(lag)}", page, re.M)
    assert found["tea-light"]["headline"] in page.replace("\n      ", " ")


# The command ------------------------------------------------------------------------------------


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    analysing.register(app)
    return app


def command(app: typer.Typer, *arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["analyse", *(str(a) for a in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_claims_are_plain_numbers_and_empty_cells(app: typer.Typer, tmp_path: Path) -> None:
    rows = [*shop(), *product("=1+1", seed=4, days=10), *product('odd, "name"', seed=5, days=70)]
    output = tmp_path / "claims.csv"
    code, shown, _ = command(app, write(tmp_path / "daily.csv", rows), "--output", output)
    assert code == 0
    with output.open(newline="", encoding="utf-8") as opened:
        found = list(csv.DictReader(opened))
    assert tuple(found[0])[:13] == (
        "product_id", "verdict", "lag_days", "uplift", "lo", "hi", "p", "q", "reverse_q", "n_days",
        "reliability", "minimum_detectable_effect", "reason",
    )  # fmt: skip
    assert [row["product_id"] for row in found] == ["'=1+1", "a", "b", "c", 'odd, "name"']
    numbers = [name for name, kind in analysing.COLUMNS if kind in {"int64", "float64"}]
    for row in found:
        for name in numbers:
            assert re.fullmatch(r"(-?\d+(\.\d+)?)?", row[name]), (name, row[name])
        assert not {"nan", "none", "null", "inf"} & {value.lower() for name, value in row.items()
                                                    if name != "verdict"}  # fmt: skip
    assert "1 where mood precedes units" in shown
    assert shown.index("social_leads") < shown.index("insufficient")


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_claims_in_other_files(app: typer.Typer, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"claims{suffix}"
    command(app, write(tmp_path / "daily.csv", shop(2)), "-o", output)
    if suffix == ".parquet":
        found = pq.read_table(output).to_pylist()
    elif suffix == ".jsonl":
        found = [json.loads(line) for line in output.read_text().splitlines()]
    else:
        with output.open(newline="") as opened:
            found = list(csv.DictReader(opened, delimiter="\t"))
    assert [row["product_id"] for row in found] == ["a", "b"]
    assert found[0]["verdict"] == "social_leads"
    assert found[1]["uplift"] in (None, "")


def test_json_is_one_object_a_line(app: typer.Typer, tmp_path: Path) -> None:
    _, shown, _ = command(app, write(tmp_path / "daily.csv", shop(2)), "--json")
    found = [json.loads(line) for line in shown.splitlines()]
    assert [row["product_id"] for row in found] == ["a", "b"]
    assert found[0]["caveat"].startswith("Could be wrong if")
    assert found[1]["uplift"] is None


def test_explain_prints_the_card_and_saves_the_picture(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path / "daily.csv", [*shop(2), *product("new/../one", seed=5, days=20)])
    code, shown, told = command(app, file, "--explain", "a", "-o", tmp_path / "claims.csv")
    assert code == 0
    assert "+1 SD of mood preceded +" in shown
    assert "Could be wrong if" in shown
    assert (tmp_path / "explain_a.png").read_bytes().startswith(b"\x89PNG")
    assert "explain_a.png" in told
    _, shown, _ = command(app, file, "--explain", "new/../one", "--picture", tmp_path / "x.png")
    assert "20 of 90 days. No relationship claimed." in shown
    assert (tmp_path / "x.png").exists()


def test_pooled_rows_say_what_categories_show_together(app: typer.Typer, tmp_path: Path) -> None:
    rows = [
        {**row, "category": "lamps" if number < 3 else "mugs"}
        for number in range(6)
        for row in product(f"p{number}", seed=20 + number, is_linked=number < 3)
    ]
    output = tmp_path / "pooled.csv"
    _, shown, _ = command(app, write(tmp_path / "daily.csv", rows), "--pooled", output)
    with output.open(newline="") as opened:
        found = {row["category"]: row for row in csv.DictReader(opened)}
    assert set(found) == {"all", "lamps", "mugs"}
    assert found["lamps"]["verdict"] == "social_leads"
    assert abs(int(found["lamps"]["lag_days"]) - LEAD) <= 1
    assert float(found["lamps"]["lo"]) > 0
    assert (found["mugs"]["verdict"], found["mugs"]["uplift"]) == ("none", "")
    assert "mugs, pooled over 3 products: no reliable link found" in shown


def test_a_product_that_is_not_there_names_the_nearest(app: typer.Typer, tmp_path: Path) -> None:
    rows = [{**row, "product_id": f"mug-{row['product_id']}"} for row in shop(2)]
    with pytest.raises(SocialSignalsError, match="Nearest: mug-a"):
        command(app, write(tmp_path / "daily.csv", rows), "--explain", "mug a")


def test_exit_codes_tell_what_became_of_it(app: typer.Typer, tmp_path: Path) -> None:
    short = write(tmp_path / "short.csv", product("a", seed=1, days=30))
    assert command(app, short)[0] == 4
    rows = shop()
    rows[DAYS]["units"] = "inf"
    code, _, told = command(app, write(tmp_path / "bad.csv", rows))
    assert code == 3
    assert "problem: product 'b': units infinite or beyond 1e15 on 1 day" in told


def test_the_table_itself_is_never_overwritten(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path / "daily.csv", shop(1))
    before = file.read_bytes()
    with pytest.raises(SocialSignalsError, match="is the table itself"):
        command(app, file, "--output", file)
    assert file.read_bytes() == before


def test_a_screen_is_bounded(app: typer.Typer, tmp_path: Path) -> None:
    rows = [row for number in range(30) for row in product(f"p{number:02}", seed=number, days=5)]
    _, shown, _ = command(app, write(tmp_path / "daily.csv", rows))
    assert len(shown.splitlines()) < analysing.MOST_ROWS + 10
    assert "10 more with --output claims.csv" in shown
    assert "To collect for 30 products" in shown


@pytest.mark.parametrize("arguments", [["--output", "claims.xlsx"], ["--output", "no/claims.csv"],
                                       ["--picture", "x.png"], ["--metric", "sentiment_mean"],
                                       ["--metric", "sold"]])  # fmt: skip
def test_options_that_cannot_be_used(
    app: typer.Typer, tmp_path: Path, arguments: list[str]
) -> None:
    with pytest.raises(SocialSignalsError) as caught:
        command(app, write(tmp_path / "daily.csv", shop(1)), *arguments)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("social_leads", "Changes in mood precede changes in units by about 3 days"),
        ("sales_lead", "Changes in units precede changes in mood by 3 days"),
        ("feedback", "Mood and units precede each other"),
        ("none", "No reliable link found between mood and units"),
        ("insufficient", "Not testable: no relationship is claimed"),
    ],
)
def test_the_picture_says_what_the_card_says(verdict: str, words: str) -> None:
    lag = -3 if verdict == "sales_lead" else 3
    width = 3 if verdict == "social_leads" else 1
    assert headline(
        "mood", "units", {"verdict": verdict, "lag_days": lag, "width_days": width}
    ) == (words)
