"""`social-signals export`: what stands in the files is what stands in the tables, and no more."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from pipeline import exporting
from udfs.errors import SocialSignalsError
from warehouse.lock import run_lock

HOSTILE = [
    "=1+1", "+1", "-1 point", "@user", "\tx", "\rx", "\nx", "\uff1dx",
    'say "hi", twice', "two\r\nlines", "", None, "<script>", "\u202eright to left", "a,b",
    " =1+1", "tab\there", "null", "caf\N{LATIN SMALL LETTER E WITH ACUTE} \U0001f621", "x" * 10_000,
]  # fmt: skip
PREFIXED = HOSTILE[:8]


def make_files(folder: Path) -> None:
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "published.duckdb")) as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        connection.execute("create schema marts")
        connection.execute("create table marts.fct_posts (post_key integer, text varchar)")
        connection.executemany(
            "insert into marts.fct_posts values (?, ?)", [list(row) for row in enumerate(HOSTILE)]
        )
        connection.execute(
            """
            create table marts.fct_order_lines as select
                -0.10::decimal(18, 2) as net_sales, 12345678901234.000001::decimal(38, 6) as wide,
                170141183460469231731::hugeint as huge, -3 as delta, 0.1::double as ratio,
                'nan'::double as broken, true as is_open, date '2026-01-31' as sold_date,
                timestamptz '2026-01-31 01:02:03.000004+00' as sold_at,
                ['a,"b"', null] as tags, {'amount': 12345678901234567.01::decimal(38, 2)} as part,
                '{"n": 1.10,\n "t": "a\\nb"}'::json as evidence
            """
        )
        connection.execute("insert into marts.fct_order_lines default values")
    with duckdb.connect(str(folder / "work.duckdb")) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.x_posts (record_id varchar, payload json)")
        connection.execute("""insert into raw.x_posts values ('7', '{"text":\n"=secret"}')""")
        connection.execute("create table raw.tombstones (salt varchar)")
        connection.execute("create table raw.settings (key varchar)")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    make_files(tmp_path / "data" / "demo")
    return tmp_path / "data" / "demo"


def invoke(*arguments: object) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    exporting.register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> SocialSignalsError:
    with pytest.raises(SocialSignalsError) as caught:
        invoke(*arguments)
    return caught.value


def rows_of(file: Path) -> list[dict[str, str]]:
    delimiter = "\t" if file.suffix == ".tsv" else ","
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter=delimiter, strict=True))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_formulas_are_disarmed_and_other_texts_come_through(
    target: Path, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"posts.{suffix}"
    assert invoke("fct_posts", "--output", file).exit_code == 0
    rows = rows_of(file)
    assert [row["post_key"] for row in rows] == [str(number) for number in range(len(HOSTILE))]
    expected = [f"'{text}" if text in PREFIXED else text or "" for text in HOSTILE]
    assert [row["text"] for row in rows] == expected
    content = file.read_bytes()
    assert content.endswith(b"\r\n")
    separator = b"\t" if suffix == "tsv" else b","
    # An empty text, and the null after it.
    assert b'10%b""\r\n11%b\r\n' % (separator, separator) in content


def test_plain_leaves_texts_as_they_are(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    invoke("fct_posts", "--output", file, "--plain")
    assert [row["text"] for row in rows_of(file)] == [text or "" for text in HOSTILE]


def test_a_lone_empty_column_keeps_its_rows(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    invoke("fct_posts", "--output", file, "--columns", "text")
    assert len(rows_of(file)) == len(HOSTILE)


def test_jsonl_and_parquet_hold_the_texts_exactly(target: Path, tmp_path: Path) -> None:
    expected = [{"post_key": number, "text": text} for number, text in enumerate(HOSTILE)]
    invoke("fct_posts", "--output", tmp_path / "posts.jsonl")
    lines = (tmp_path / "posts.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == expected
    invoke("fct_posts", "--output", tmp_path / "posts.parquet")
    assert pq.read_table(tmp_path / "posts.parquet").to_pylist() == expected


def test_values_are_exact_in_csv(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    invoke("fct_order_lines", "--output", file)
    first, missing = rows_of(file)
    assert first == {
        "net_sales": "-0.10", "wide": "12345678901234.000001", "huge": "170141183460469231731",
        "delta": "-3", "ratio": "0.1", "broken": "nan", "is_open": "true",
        "sold_date": "2026-01-31", "sold_at": "2026-01-31T01:02:03.000004Z",
        "tags": '["a,\\"b\\"",null]', "part": '{"amount":12345678901234567.01}',
        "evidence": '{"n": 1.10,\n "t": "a\\nb"}',
    }  # fmt: skip
    assert set(missing.values()) == {""}


def test_values_are_exact_in_jsonl(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    invoke("fct_order_lines", "--output", file)
    lines = file.read_text(encoding="utf-8").splitlines()
    first, missing = (json.loads(line, parse_float=Decimal) for line in lines)
    assert first == {
        "net_sales": Decimal("-0.10"), "wide": Decimal("12345678901234.000001"),
        "huge": 170141183460469231731, "delta": -3, "ratio": Decimal("0.1"), "broken": None,
        "is_open": True, "sold_date": "2026-01-31", "sold_at": "2026-01-31T01:02:03.000004Z",
        "tags": ['a,"b"', None], "part": {"amount": Decimal("12345678901234567.01")},
        "evidence": {"n": Decimal("1.10"), "t": "a\nb"},
    }  # fmt: skip
    assert '"net_sales":-0.10,' in lines[0]
    assert set(missing.values()) == {None}


def test_values_are_exact_in_parquet(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.parquet"
    invoke("fct_order_lines", "--output", file)
    first, missing = pq.read_table(file).to_pylist()
    assert first["net_sales"] == Decimal("-0.10")
    assert first["wide"] == Decimal("12345678901234.000001")
    assert first["huge"] == 170141183460469231731
    assert first["sold_at"] == datetime(2026, 1, 31, 1, 2, 3, 4, tzinfo=UTC)
    assert str(pq.read_schema(file).field("sold_at").type) == "timestamp[us, tz=UTC]"
    assert first["part"] == {"amount": Decimal("12345678901234567.01")}
    assert json.loads(first["evidence"])["t"] == "a\nb"
    assert missing["net_sales"] is None


def test_columns_condition_and_limit_choose(target: Path, tmp_path: Path) -> None:
    result = invoke(
        "marts.fct_posts", "-o", "-", "--columns", "text,post_key", "--where", "post_key > 11",
        "--limit", 2,
    )  # fmt: skip
    assert list(csv.reader(io.StringIO(result.stdout))) == [
        ["text", "post_key"], ["<script>", "12"], ["\u202eright to left", "13"],
    ]  # fmt: skip
    result = invoke("fct_posts", "-o", "-", "--format", "jsonl", "--limit", 1)
    assert result.stdout == '{"post_key":0,"text":"=1+1"}\n'
    assert invoke("fct_posts", "-o", "-", "--where", "false").stdout_bytes == b"post_key,text\r\n"


@pytest.mark.parametrize(
    "where",
    [
        "1 = 1) union all (select 1, 'x'", "true; drop table marts.fct_posts", "nonsense",
        "1 from t", "text in (select content from read_text('{file}'))", "",
        "cast(text as integer) = 1",
    ],
)  # fmt: skip
def test_a_condition_is_a_condition_and_reads_no_other_file(
    target: Path, tmp_path: Path, where: str
) -> None:
    file = tmp_path / "other.txt"
    file.write_text("+1")
    error = refused("fct_posts", "-o", tmp_path / "x.csv", "--where", where.format(file=file))
    assert error.exit_code == 2
    assert "one SQL condition" in error.remedy
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "other.txt"]


def test_unknown_names_tell_the_nearest(target: Path, tmp_path: Path) -> None:
    assert "fct_posts" in refused("fct_post", "-o", "-").remedy
    assert "raw.x_posts" in refused("x/post", "-o", "-").remedy
    assert "post_key" in refused("fct_posts", "-o", "-", "--columns", "post_kee").remedy
    assert ".parquet" in refused("fct_posts", "-o", tmp_path / "posts.xlsx").remedy
    assert refused("fct_posts", "-o", "-", "--columns", "text,text").exit_code == 2
    assert refused("fct_posts", "-o", "-", "--format", "parquet").exit_code == 2
    assert refused("fct_posts", "--all", "-o", tmp_path).exit_code == 2
    # Lists of what was forgotten and the settings are no streams.
    assert refused("raw.tombstones", "-o", "-").exit_code == 2


def test_nothing_is_overwritten_unless_asked(target: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("mine")
    assert "--force" in refused("fct_posts", "-o", file).remedy
    assert file.read_text() == "mine"
    invoke("fct_posts", "-o", file, "--force")
    assert len(rows_of(file)) == len(HOSTILE)
    assert "no folder" in refused("fct_posts", "-o", tmp_path / "none" / "posts.csv").message


def test_a_failure_leaves_the_old_file_and_no_other(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "disk is full" in refused("fct_posts", "-o", file, "--force").message
    assert file.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "posts.csv"]


def test_all_tables_go_into_a_folder(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    invoke("--all", "--output", folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "fct_order_lines.parquet",
        "fct_posts.parquet",
    ]
    assert pq.read_metadata(folder / "fct_posts.parquet").num_rows == len(HOSTILE)
    (folder / "fct_order_lines.parquet").unlink()
    assert "fct_posts.parquet is there" in refused("--all", "--output", folder).message
    assert not (folder / "fct_order_lines.parquet").exists()


@pytest.mark.parametrize("name", ["x/posts", "raw.x_posts"])
def test_a_raw_stream_comes_as_received_with_a_warning(target: Path, name: str) -> None:
    result = invoke(name, "-o", "-", "--format", "jsonl")
    assert result.stdout == '{"record_id":"7","payload":{"text": "=secret"}}\n'
    assert "forget" in result.stderr
    assert "personal data" in result.stderr


def test_texts_that_are_not_published_do_not_leave(target: Path) -> None:
    quiet = ("--set", "publish.texts=false", "-o", "-")
    result = invoke("fct_posts", *quiet, "--limit", 1)
    assert result.stdout_bytes == b"post_key,text\r\n0,\r\n"
    # Nor by asking which rows hold them.
    assert (
        invoke("fct_posts", *quiet, "--where", "text = '=1+1'").stdout_bytes == b"post_key,text\r\n"
    )
    assert "--columns record_id" in refused("x/posts", *quiet).remedy
    assert invoke("x/posts", *quiet, "--columns", "record_id").stdout_bytes == b"record_id\r\n7\r\n"


def test_a_target_without_files_or_in_use_is_told(target: Path) -> None:
    with run_lock(target / "run.lock", command="a long build"):
        error = refused("x/posts", "-o", "-")
        assert error.exit_code == 5
        assert "a long build" in error.message
        # The published file is free all the time.
        assert invoke("fct_posts", "-o", "-", "--limit", 1).exit_code == 0
    (target / "work.duckdb").unlink()
    assert "social-signals run" in refused("x/posts", "-o", "-").remedy
    (target / "published.duckdb").unlink()
    assert "social-signals run" in refused("fct_posts", "-o", "-").remedy


def test_nothing_leaves_while_something_is_being_forgotten(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "begun", lambda _: [object()])
    for name in ("fct_posts", "x/posts"):
        assert "forget --resume" in refused(name, "-o", "-").remedy


def test_many_rows_come_in_their_order(target: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(target / "published.duckdb")) as connection:
        connection.execute("create table marts.fct_many as select range as n from range(60000)")
    file = tmp_path / "many.csv"
    invoke("fct_many", "-o", file)
    assert [int(row["n"]) for row in rows_of(file)] == list(range(60_000))


MEASURED = """
import sys
from pathlib import Path
from typer.testing import CliRunner
import typer
from pipeline import exporting
app = typer.Typer()
exporting.register(app)
result = CliRunner().invoke(app, sys.argv[1:])
assert result.exit_code == 0, result.exception
(peak,) = [
    line.split()[1]
    for line in Path("/proc/self/status").read_text().splitlines()
    if line.startswith("VmHWM")
]
print(peak)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak is read from Linux")
def test_memory_does_not_grow_with_the_table(target: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(target / "work.duckdb")) as connection:
        connection.execute(
            "insert into raw.x_posts select i, to_json(md5(i::varchar) || repeat("
            "md5((i + .5)::varchar), 6) || reverse(repeat(md5((-i)::varchar), 18))) "
            "from range(400000) as numbers (i)"
        )
    file = target / "work.duckdb"
    assert file.stat().st_size > 200e6, "more than what DuckDB is allowed to keep"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "x/posts", "-o", str(tmp_path / "posts.csv")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (tmp_path / "posts.csv").stat().st_size > 300e6
    assert int(done.stdout) * 1024 < 450e6, done.stdout
