"""Reading files of every kind: what lands, and that a bad row costs only itself."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from extract.datasets import MappingError, readers
from tests.dataset_files import POSTS, SALES, payloads, pull_all, with_columns

JSON_POSTS: dict[str, Any] = {
    **POSTS,
    "files": "*.jsonl",
    "columns": {"post_id": "id", "platform": {"constant": "x"}, "text": "body.text"},
}


def texts(folder: Path, content: dict[str, Any]) -> list[str]:
    return [item["text"] for item in payloads(folder, content)]


def test_csv_with_quotes_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = '\ufeffid,text\r\n1,"a ""b"", c"\r\n\r\n2,"two\nlines"\r\n3,plain'
    (tmp_path / "a.csv").write_bytes(content.encode())
    records, rejects = pull_all(tmp_path, POSTS)
    assert rejects == []
    assert [record.payload["text"] for record in records] == ['a "b", c', "two\nlines", "plain"]
    assert [record.record_id for record in records] == ["tiny|1", "tiny|2", "tiny|3"]
    assert records[0].stream == "datasets/posts"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "latin-1", "mac_roman"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("id,text\n1,é\n2,Zürich ®\n".encode(encoding))
    assert texts(tmp_path, {**POSTS, "encoding": encoding}) == ["é", "Zürich ®"]


def test_old_mac_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,text\r1,é\r2,b\r".encode("mac_roman"))
    assert texts(tmp_path, {**POSTS, "encoding": "mac_roman"}) == ["é", "b"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_wrong_encoding_is_an_error_with_the_remedy(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("id,text\n1,é\n2,ü\n3,plain\n".encode(encoding))
    with pytest.raises(MappingError, match=r"a\.csv is not utf-8") as caught:
        pull_all(tmp_path, POSTS)
    assert encoding in caught.value.remedy


def test_one_undecodable_line_among_many_is_rejected(tmp_path: Path) -> None:
    lines = [f"{number},ü {number}\n".encode() for number in range(1, 300)]
    lines[100] = b"101,\xff broken\n"
    (tmp_path / "a.csv").write_bytes(b"id,text\n" + b"".join(lines))
    records, rejects = pull_all(tmp_path, POSTS)
    assert len(records) == 298
    assert [(reject.origin, reject.reason) for reject in rejects] == [
        ("a.csv:102", "bytes that are not utf-8")
    ]
    assert "\\xff broken" in rejects[0].text


def test_undecodable_lines_are_rejected_when_the_mapping_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,text\n1,\xff\n2,good\n")
    records, rejects = pull_all(tmp_path, {**POSTS, "undecodable": "reject"})
    assert (len(records), len(rejects)) == (1, 1)


def test_bad_csv_rows_cost_only_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        'id,text\n1,good\n2\n3,too,many\n4,"quote" after\n5,good\n6,empty tail,,\n'
        '7,"never closed\n8,good\n',
        encoding="utf-8",
    )
    records, rejects = pull_all(tmp_path, POSTS)
    assert [record.payload["post_id"] for record in records] == ["1", "5", "6", "8"]
    assert [(reject.origin, reject.reason) for reject in rejects] == [
        ("a.csv:3", "1 columns where the header has 2"),
        ("a.csv:4", "3 columns where the header has 2"),
        ("a.csv:5", "text after a closing quote"),
        ("a.csv:8", "a quote that is opened is never closed"),
    ]
    assert rejects[1].text == "3,too,many\n"


def test_a_stray_quote_does_not_swallow_the_rest_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_RECORD_CHARS", 2_000)
    rows = "".join(f"{number},row {number}\n" for number in range(2, 2_000))
    (tmp_path / "a.csv").write_text(f'id,text\n1,"stray\n{rows}', encoding="utf-8")
    records, rejects = pull_all(tmp_path, POSTS)
    assert len(records) == 1_998
    assert [reject.origin for reject in rejects] == ["a.csv:2"]


def test_nul_characters_and_overlong_lines_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_RECORD_CHARS", 1_000)
    (tmp_path / "a.csv").write_bytes(b"id,text\n1,a\0b\n2," + b"x" * 5_000 + b"\n3,good\n")
    records, rejects = pull_all(tmp_path, POSTS)
    assert [record.payload["post_id"] for record in records] == ["3"]
    assert sorted(reject.reason for reject in rejects) == [
        "longer than 1000 bytes",
        "text holds a NUL character",
    ]


def test_tab_separated_without_quotes_and_another_delimiter(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('id\ttext\n1\t"as it is\n', encoding="utf-8")
    assert texts(tmp_path, {**POSTS, "files": "a.tsv", "quote": ""}) == ['"as it is']
    (tmp_path / "b.csv").write_text("id|text\n1|'a|b'\n", encoding="utf-8")
    piped = {**POSTS, "files": "b.csv", "delimiter": "|", "quote": "'"}
    assert texts(tmp_path, piped) == ["a|b"]


def test_rows_before_the_header(tmp_path: Path) -> None:
    block = ',summary,"open\nquote closed"\n,,\nid,text\n1,good\n'
    (tmp_path / "a.csv").write_text(block, encoding="utf-8")
    assert texts(tmp_path, {**POSTS, "header_starts_with": "id,"}) == ["good"]
    assert texts(tmp_path, {**POSTS, "skip_rows": 3}) == ["good"]
    with pytest.raises(MappingError, match="none of its 5 lines starts with 'ident'"):
        pull_all(tmp_path, {**POSTS, "header_starts_with": "ident"})


def test_places_are_lines_of_the_file_whatever_stands_before(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('note\nid,text\n1,"a\nb"\n2\n', encoding="utf-8")
    _, rejects = pull_all(tmp_path, {**POSTS, "header_starts_with": "id"})
    assert [reject.origin for reject in rejects] == ["a.csv:5"]


def test_a_file_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,good\n2,also\n", encoding="utf-8")
    assert texts(tmp_path, {**POSTS, "header": False, "column_names": ["id", "text"]}) == [
        "good",
        "also",
    ]


def test_repeated_and_empty_header_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",Text,text\n1,a,b\n", encoding="utf-8")
    columns = {"post_id": "column_1", "text": "text_2"}
    assert texts(tmp_path, with_columns(POSTS, columns)) == ["b"]


def test_a_missing_column_names_file_column_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,Text\n1,a\n", encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        pull_all(tmp_path, POSTS)
    assert "text: column 'text' is not in a.csv, did you mean 'Text'?" in caught.value.message
    optional = with_columns(POSTS, {"text": {"column": "text", "optional": True}})
    assert texts(tmp_path, optional) == [None]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"id": 418396495692316672, "body": {"text": "a\\nb"}, "likes": null}',
        "",
        '{"id": "2", "body": {}, "likes": 0}',
        '{"id": "3", "body"',
        '{"id": "4", "body": {"text": "\\ud83d"}}',
        '{"id": "5", "body": {"text": "x\\u0000y"}}',
        '["6"]',
        '{"body": {"text": "no id"}}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    records, rejects = pull_all(tmp_path, with_columns(JSON_POSTS, {"like_count": "likes"}))
    assert [
        (r.payload["post_id"], r.payload["text"], r.payload["like_count"]) for r in records
    ] == [("418396495692316672", "a\nb", None), ("2", None, 0)]
    assert [(reject.origin, reject.reason) for reject in rejects] == [
        ("a.jsonl:4", "not valid JSON"),
        ("a.jsonl:5", "not valid JSON"),
        ("a.jsonl:6", "text holds a NUL character"),
        ("a.jsonl:7", "not a JSON object"),
        ("a.jsonl:8", "post_id is missing"),
    ]


def test_a_json_path_that_no_record_has(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "body": {"txt": "a"}}\n', encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        pull_all(tmp_path, JSON_POSTS)
    assert "has 'body.text', did you mean 'body.txt'?" in caught.value.message


def test_the_first_path_that_has_a_value(tmp_path: Path) -> None:
    rows = [{"id": 1, "text": "short", "long": {"text": "whole"}}, {"id": 2, "text": "short"}]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    columns = {"text": {"column": ["long.text", "text"]}}
    assert texts(tmp_path, with_columns(JSON_POSTS, columns)) == ["whole", "short"]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('[{"id": 1, "text": "a"},\n {"id": 2, "text": "b"}]', None),
        ('{"id": 1, "text": "a"} {"id": 2, "text": "b"}', None),
        (
            '{"meta": 1, "data": {"rows": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]}}',
            "data.rows",
        ),
    ],
)
def test_json_arrays_sequences_and_nested_lists(
    tmp_path: Path, text: str, records: str | None
) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    content = {**POSTS, "files": "a.json", **({"records": records} if records else {})}
    assert texts(tmp_path, content) == ["a", "b"]


def test_a_large_json_array_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": number, "text": "x" * 500} for number in range(2_000)]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    assert len(texts(tmp_path, {**POSTS, "files": "a.json"})) == 2_000


def test_a_cut_json_array_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"id": 1, "text": "a"}, {"id": 2, "te', encoding="utf-8")
    with pytest.raises(MappingError, match="not valid JSON after record 1"):
        pull_all(tmp_path, {**POSTS, "files": "a.json"})


def test_parquet_with_types_and_nesting(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([418396495692316672, 2], pa.int64()),
            "user": pa.array([{"name": "a"}, {"name": None}]),
            "text": ["x", None],
            "at": pa.array([1_600_000_000_000_000_001, None], pa.timestamp("ns")),
            "likes": pa.array([3.0, float("nan")]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    content = with_columns(
        {**POSTS, "files": "a.parquet", "timezone": "+02:00"},
        {"created_at": "at", "like_count": "likes", "author_name": "user.name"},
    )
    first, second = payloads(tmp_path, content)
    assert first["post_id"] == "418396495692316672"
    assert first["created_at"] == "2020-09-13T10:26:40Z"
    assert (first["like_count"], second["like_count"]) == (3, None)
    assert (first["author_name"], second["author_name"]) == ("a", None)
    assert second["created_at"] is None


def test_ids_that_parquet_has_rounded_are_rejected(tmp_path: Path) -> None:
    table = pa.table({"id": [418396495692316672.0, 7.0], "text": ["x", "y"]})
    pq.write_table(table, tmp_path / "a.parquet")
    records, rejects = pull_all(tmp_path, {**POSTS, "files": "a.parquet"})
    assert [record.payload["post_id"] for record in records] == ["7"]
    assert "lost digits" in rejects[0].reason


def test_a_broken_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(MappingError, match="not a readable Parquet file"):
        pull_all(tmp_path, {**POSTS, "files": "a.parquet"})


@pytest.mark.parametrize("suffix", [".gz", ".zst", ""])
def test_compression_is_known_by_the_bytes(tmp_path: Path, suffix: str) -> None:
    content = b"id,text\n1,a\n2,b\n"
    for number, packed in enumerate((gzip.compress(content) * 1, zstandard.compress(content))):
        (tmp_path / f"a{number}.csv{suffix}").write_bytes(packed)
    assert texts(tmp_path, {**POSTS, "files": f"*.csv{suffix}"}) == ["a", "b", "a", "b"]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_cut_compressed_file_is_an_error(tmp_path: Path, compress: Any) -> None:
    content = b"id,text\n" + b"".join(b"%d,text %d\n" % (n, n * n) for n in range(5_000))
    packed = compress(content)
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(MappingError, match="is damaged"):
        pull_all(tmp_path, {**POSTS, "files": "a.csv.gz"})


def test_several_frames_are_one_file(tmp_path: Path) -> None:
    packed = zstandard.compress(b"id,text\n1,a\n") + zstandard.compress(b"2,b\n")
    (tmp_path / "a.csv.zst").write_bytes(packed)
    assert texts(tmp_path, {**POSTS, "files": "a.csv.zst"}) == ["a", "b"]


def test_files_of_a_folder_a_pattern_or_a_list(tmp_path: Path) -> None:
    for name in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/.hidden.csv", "in/notes.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"id,text\n{path.stem},x\n", encoding="utf-8")

    def found(files: Any, **keys: Any) -> list[str]:
        content = {**POSTS, "files": files, **keys}
        return [item["post_id"] for item in payloads(tmp_path, content)]

    assert found("in") == ["a", "b"]
    assert found("in/**/*.csv") == ["a", "b", "c"]
    assert found(["in/b.csv", "in/deep"]) == ["b", "c"]
    assert found("in/**/*.csv", exclude="b.csv") == ["a", "c"]


def test_the_data_folder_may_be_the_data_sets_own_or_the_one_around_it(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "a.csv").write_text("id,text\n1,x\n", encoding="utf-8")
    around, _ = pull_all(tmp_path, POSTS)
    own, _ = pull_all(tmp_path / "tiny", POSTS)
    assert [record.record_id for record in around] == [record.record_id for record in own]


def test_no_file_no_row_and_no_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no file matches") as caught:
        pull_all(tmp_path, POSTS)
    assert "--data-folder" in caught.value.remedy
    (tmp_path / "a.csv").write_text("id,text\n", encoding="utf-8")
    with pytest.raises(MappingError, match="hold no row"):
        pull_all(tmp_path, POSTS)
    (tmp_path / "a.csv").write_text("id,text\n1,x\n", encoding="utf-8")
    with pytest.raises(MappingError, match="leaves none of 1 rows"):
        pull_all(tmp_path, {**POSTS, "where": "id = '2'"})
    (tmp_path / "b").write_text("id,text\n", encoding="utf-8")
    with pytest.raises(MappingError, match="do not say what they are"):
        pull_all(tmp_path, {**POSTS, "files": "b"})


def test_all_rows_rejected_is_an_error_that_gives_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("day,n,sku\n31.12.2020,1,a\n", encoding="utf-8")
    with pytest.raises(MappingError, match="none of 1 rows can be read; 1 times: sold_at"):
        pull_all(tmp_path, SALES)


def test_a_workbook_is_told_from_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(MappingError, match="Excel workbook") as caught:
        pull_all(tmp_path, POSTS)
    assert "CSV" in caught.value.remedy


def test_parquet_types_that_are_rare(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array(["1", "2"]).dictionary_encode(),
            "text": pa.array([["a"], None]),
            "likes": pa.array([Decimal("3.00"), None]),
            "day": pa.array([date(2020, 1, 2), None]),
            "flag": [True, None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    columns = {
        "text": {"expression": "text[1]"},
        "like_count": "likes",
        "created_at": "day",
        "is_repost": "flag",
    }
    content = with_columns({**POSTS, "files": "a.parquet"}, columns)
    first, second = payloads(tmp_path, content)
    assert (first["post_id"], first["text"], first["like_count"]) == ("1", "a", 3)
    assert (first["created_at"], first["is_repost"]) == ("2020-01-02T00:00:00Z", True)
    assert second["text"] is second["created_at"] is second["is_repost"] is None
    _, rejects = pull_all(tmp_path, {**POSTS, "files": "a.parquet"})
    assert [reject.reason for reject in rejects] == ["text a list is no text"]
