"""From columns to fields: typing, expressions, products, filters, ids."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract.datasets import MappingError
from extract.datasets.evaluate import json_path
from extract.datasets.ids import Occurrences
from tests.dataset_files import NOW, POSTS, SALES, payloads, pull_all, with_columns


def write(folder: Path, text: str, name: str = "a.csv") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_missing_is_null_and_zero_is_zero(tmp_path: Path) -> None:
    write(tmp_path, "id,text,likes,when\n1,a,0,\n2,b,,\n3,,NA,2020-01-01\n")
    content = with_columns(
        POSTS,
        {
            "like_count": {"column": "likes", "null_values": ["", "NA"]},
            "created_at": "when",
            "language": {"column": "nowhere", "optional": True},
        },
    )
    first, second, third = payloads(tmp_path, content)
    assert (first["like_count"], second["like_count"], third["like_count"]) == (0, None, None)
    assert first["created_at"] is None
    assert third["text"] is None
    assert first["language"] is None


@pytest.mark.parametrize(
    ("written", "keys", "expected"),
    [
        ("1,234.50", {"thousands": ","}, 1234.5),
        ("1.234,50", {"thousands": ".", "decimal": ","}, 1234.5),
        ("2,5", {"decimal": ","}, 2.5),
        ("1234", {"thousands": ","}, 1234),
        ("-3", {}, -3),
        (" 7 ", {}, 7),
        ("1e3", {}, 1000.0),
    ],
)
def test_numbers(tmp_path: Path, written: str, keys: dict[str, Any], expected: float) -> None:
    write(tmp_path, f'day,n,sku\n2020-01-01,"{written}",a\n')
    assert payloads(tmp_path, {**SALES, **keys})[0]["quantity"] == expected


@pytest.mark.parametrize("written", ["1,5", "12a", "1e999", "--1", "$3", "1.2.3"])
def test_what_is_no_number_is_rejected(tmp_path: Path, written: str) -> None:
    write(tmp_path, f'day,n,sku\n2020-01-01,"{written}",a\n2020-01-01,1,a\n')
    records, rejects = pull_all(tmp_path, SALES)
    assert len(records) == 1
    assert rejects[0].reason.startswith("quantity is no")


def test_thousands_that_group_wrongly_are_no_number(tmp_path: Path) -> None:
    write(tmp_path, 'day,n,sku\n2020-01-01,"1,5",a\n2020-01-01,1,a\n')
    _, rejects = pull_all(tmp_path, {**SALES, "thousands": ","})
    assert [reject.reason for reject in rejects] == ["quantity is no number"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("like_count", "2.5", "like_count is no whole number"),
        ("like_count", "-1", "like_count is negative, which a count cannot be"),
        (
            "is_repost",
            "perhaps",
            "is_repost is neither true nor false; say what it means with `map`",
        ),
        (
            "author_id",
            "4.18E+17",
            "author_id is in scientific notation: the file has lost its digits",
        ),
        (
            "created_at",
            "soon",
            "created_at does not match iso (2024-03-05 or 2024-03-05T10:00:00+01:00)",
        ),
    ],
)
def test_reasons_name_the_field(tmp_path: Path, field: str, value: str, reason: str) -> None:
    write(tmp_path, f"id,text,v\n1,a,{value}\n2,b,\n")
    _, rejects = pull_all(tmp_path, with_columns(POSTS, {field: "v"}))
    assert [reject.reason for reject in rejects] == [reason]


def test_maps(tmp_path: Path) -> None:
    write(tmp_path, "id,text,up\n1,a,✅\n2,b,❌\n3,c,?\n")

    def flags(otherwise: str) -> list[Any]:
        spec = {"column": "up", "map": {"✅": True, "❌": False}, "otherwise": otherwise}
        records, _ = pull_all(tmp_path, with_columns(POSTS, {"is_repost": spec}))
        return [record.payload["is_repost"] for record in records]

    assert flags("null") == [True, False, None]
    assert flags("reject") == [True, False]


def test_expressions_see_the_row_and_the_file(tmp_path: Path) -> None:
    write(tmp_path, "id,text,n\n1,a,4\n", "in/2020-05-06_tea.csv")
    columns = {
        "like_count": {"expression": "n::int * 2"},
        "author_name": {"expression": "file_name"},
        "created_at": {"from_path": r"(?P<value>\d{4}-\d\d-\d\d)"},
    }
    content = with_columns(POSTS, columns, files="in/*.csv", product={"from_path": r"_(\w+)\."})
    item = payloads(tmp_path, content)[0]
    assert item["like_count"] == 8
    assert item["author_name"] == "2020-05-06_tea.csv"
    assert item["created_at"] == "2020-05-06T00:00:00Z"
    assert item["product_key"] == "tea"


def test_a_path_without_the_pattern_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "id,text\n1,a\n")
    with pytest.raises(MappingError, match=r"is not found in the file path 'a\.csv'"):
        pull_all(tmp_path, {**POSTS, "product": {"from_path": r"_(\w+)\."}})


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("lenght(text)", "like_count.expression: 'lenght(text)' cannot be evaluated"),
        ("likes + 1", "column 'likes' is not in a.csv"),
        ("1 +", "cannot be evaluated"),
        ("1); drop table x; select (2", "cannot be evaluated"),
        ("(select count(*) from read_csv('a.csv'))", "cannot be evaluated"),
        ("sum(1)", "cannot be evaluated"),
        ("row_number() over ()", "a window function"),
    ],
)
def test_expressions_that_cannot_work_name_their_key(
    tmp_path: Path, sql: str, message: str
) -> None:
    write(tmp_path, "id,text,like\n1,a,2\n")
    with pytest.raises(MappingError) as caught:
        pull_all(tmp_path, with_columns(POSTS, {"like_count": {"expression": sql}}))
    assert message in caught.value.message
    assert caught.value.remedy


def test_rows_over_which_an_expression_fails_are_rejected(tmp_path: Path) -> None:
    rows = "".join(f"{n},t,{n if n % 50 else 'x'}\n" for n in range(1, 201))
    write(tmp_path, "id,text,n\n" + rows)
    content = with_columns(POSTS, {"like_count": {"expression": "n::int"}})
    records, rejects = pull_all(tmp_path, content)
    assert [record.payload["post_id"] for record in records] == [
        str(n) for n in range(1, 201) if n % 50
    ]
    assert [reject.origin for reject in rejects] == [f"a.csv:{n + 1}" for n in (50, 100, 150, 200)]
    assert len({reject.reason for reject in rejects}) == 1


def test_an_expression_that_fails_everywhere_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "id,text\n" + "1,a\n" * 300)
    content = with_columns(POSTS, {"like_count": {"expression": "text::int"}})
    with pytest.raises(MappingError, match="more than 100"):
        pull_all(tmp_path, content)


def test_filtered_rows_are_no_rejects(tmp_path: Path) -> None:
    write(tmp_path, "id,text,n\n1,a,1\n,b,2\n3,c,3\n")
    records, rejects = pull_all(tmp_path, {**POSTS, "where": "n <> '2'"})
    assert [record.payload["post_id"] for record in records] == ["1", "3"]
    assert rejects == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (r"b'caf\xc3\xa9 \xf0\x9f\x94\xa5\nnext'", "café 🔥\nnext"),
        ('"b""it\'s"""', "it's"),
        (r"b'cut\xe2\x80'", "cut\ufffd"),
        ("plain text", "plain text"),
        ("\"b'two\nlines'\"", "two\nlines"),
    ],
)
def test_python_bytes_literals(tmp_path: Path, written: str, expected: str) -> None:
    write(tmp_path, f"id,text\n1,{written}\n")
    content = with_columns(POSTS, {"text": {"column": "text", "decode": "python_bytes_repr"}})
    assert payloads(tmp_path, content)[0]["text"] == expected


def test_utf8_that_was_read_as_cp1252(tmp_path: Path) -> None:
    write(tmp_path, "id,text\n1,â€œHiâ€\x9d he said â€” naïve\n")
    content = with_columns(POSTS, {"text": {"column": "text", "decode": "utf8_read_as_cp1252"}})
    assert payloads(tmp_path, content)[0]["text"] == "“Hi” he said — naïve"


def test_equal_lines_stay_apart_and_reading_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, 'day,n,sku\n2020-01-01,1,a\n2020-01-01,1,a\n2020-01-02,"1",a\n')
    first, _ = pull_all(tmp_path, SALES)
    again, _ = pull_all(tmp_path, SALES)
    assert [r.record_id for r in first] == [r.record_id for r in again]
    assert len({r.record_id for r in first}) == 3
    assert first[0].payload["line_id"] != first[1].payload["line_id"]


def test_a_longer_export_with_the_same_lines_gives_the_same_ids(tmp_path: Path) -> None:
    write(tmp_path, "day,n,sku\n2020-01-01,1,a\n2020-01-01,1,a\n", "a.csv")
    write(tmp_path, 'day,n,sku\n2020-01-03,1,a\n"2020-01-01",1,a\n2020-01-01,1,a\n', "b.csv")
    records, _ = pull_all(tmp_path, SALES)
    assert len(records) == 5
    assert len({record.record_id for record in records}) == 3


def test_the_file_counts_where_the_mapping_reads_its_path(tmp_path: Path) -> None:
    write(tmp_path, "n,sku\n1,a\n", "2020-01-01.csv")
    write(tmp_path, "n,sku\n1,a\n", "2020-01-02.csv")
    content = with_columns(SALES, {"sold_at": {"from_path": r"(\d{4}-\d\d-\d\d)"}})
    records, _ = pull_all(tmp_path, content)
    assert len({record.record_id for record in records}) == 2


def test_occurrences_across_batches() -> None:
    counter = Occurrences()
    keys = ["a", "b", "a", "c", "a", "b", "d", "a"]
    whole = Occurrences().ids(keys, "")
    parts = [*counter.ids(keys[:3], ""), *counter.ids(keys[3:4], ""), *counter.ids(keys[4:], "")]
    assert whole == parts
    assert "".join(item.rsplit("-", 1)[1] for item in whole) == "11213214"


def test_kinds_of_sales_are_checked(tmp_path: Path) -> None:
    write(tmp_path, "day,n,sku,k\n2020-01-01,1,a,sale\n2020-01-01,-1,a,gift\n")
    records, rejects = pull_all(tmp_path, with_columns(SALES, {"kind": "k"}))
    assert len(records) == 1
    assert "return" in rejects[0].reason


def test_ratings_keep_to_their_scale(tmp_path: Path) -> None:
    write(tmp_path, "id,d,stars\n1,2020-01-01,4\n2,2020-01-01,6\n3,2020-01-01,\n")
    content = {
        **POSTS,
        "kind": "reviews",
        "columns": {
            "review_id": "id",
            "platform": {"constant": "shop"},
            "created_at": "d",
            "rating": "stars",
            "rating_scale": {"constant": 5},
        },
    }
    records, rejects = pull_all(tmp_path, content)
    assert [record.payload["rating"] for record in records] == [4, None]
    assert [reject.reason for reject in rejects] == ["rating is not between 0 and rating_scale"]


def metrics(**keys: Any) -> dict[str, Any]:
    base = {key: POSTS[key] for key in ("dataset", "source", "licence", "files")}
    return {**base, "kind": "metrics", **keys}


def test_wide_metrics(tmp_path: Path) -> None:
    write(tmp_path, "Date,Volume,Close\n2020-01-02,10,1.5\n2020-01-03,,1.25\n", "KO.csv")
    content = metrics(
        product={"from_path": r"(\w+)\.csv"},
        columns={"date": "Date"},
        metrics=[
            {"name": "volume", "column": "Volume", "unit": "shares"},
            {"name": "close", "column": "Close"},
        ],
    )
    records, _ = pull_all(tmp_path, content)
    assert [record.record_id for record in records] == [
        "tiny|KO|volume|2020-01-02",
        "tiny|KO|close|2020-01-02",
        "tiny|KO|volume|2020-01-03",
        "tiny|KO|close|2020-01-03",
    ]
    assert [record.payload["value"] for record in records] == [10, 1.5, None, 1.25]
    assert records[0].payload["unit"] == "shares"


def test_long_metrics_and_the_day_in_their_zone(tmp_path: Path) -> None:
    write(
        tmp_path, "at,what,v,sku\n2020-01-01T23:30:00Z,stars,5,a\n2020-01-01T10:00:00Z,stars,4,\n"
    )
    content = metrics(
        product={"column": "sku"},
        timezone="Europe/Paris",
        columns={"date": "at", "metric": "what", "value": "v"},
    )
    records, rejects = pull_all(tmp_path, content)
    assert [record.record_id for record in records] == ["tiny|a|stars|2020-01-02"]
    assert [reject.reason for reject in rejects] == ["product_key is missing"]


def test_a_column_for_each_product(tmp_path: Path) -> None:
    write(tmp_path, "d,tea,milk\n2020-01-01,<1,4\n")
    content = metrics(
        columns={"date": "d"},
        metrics=[
            {"name": "interest", "product": "tea", "column": "tea", "map": {"<1": 0.5}},
            {"name": "interest", "product": "milk", "column": "milk"},
        ],
    )
    assert [(i["product_key"], i["value"]) for i in payloads(tmp_path, content)] == [
        ("tea", 0.5),
        ("milk", 4),
    ]


def test_the_time_of_capture_is_the_records_not_the_payloads(tmp_path: Path) -> None:
    write(tmp_path, "id,text,seen\n1,a,2020-01-02T03:04:05Z\n1,a,\n")
    records, _ = pull_all(tmp_path, with_columns(POSTS, {"fetched_at": "seen"}))
    assert records[0].fetched_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert records[1].fetched_at == NOW
    assert all("fetched_at" not in record.payload for record in records)


def test_json_paths() -> None:
    assert json_path("user.id_str") == '$."user"."id_str"'
    assert json_path("a.0.b") == '$."a"[0]."b"'
    assert json_path("$.a") == "$.a"
