"""The Python functions that SQL calls, asked through DuckDB as the models ask them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from scipy import stats

from tests.tiny_checkpoint import make_tiny_checkpoint
from udfs import dbt_plugin, dbt_sentiment
from udfs.errors import SocialSignalsError
from udfs.normalise import normalise

TEXTS = [None, "", "plain", "a &amp; b", "@me https://t.co/x", "smile 😀", "x" * 50_000, "\u202e"]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        dbt_plugin.register(opened)
        yield opened


def test_text_key_is_the_hash_of_what_is_scored(connection: duckdb.DuckDBPyConnection) -> None:
    for text in TEXTS:
        (row,) = connection.execute(
            "select text_key(?), normalise_text(?)", [text, text]
        ).fetchall()
        if text is None:
            assert row == (None, None)
        else:
            normal = normalise(text)
            assert row == (hashlib.sha256(normal.encode()).hexdigest(), normal)


def test_functions_keep_rows_in_order_over_many_chunks(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    wrong = connection.execute(
        "select count(*) from (select i, normalise_text(case when i % 3 > 0 then 'n' || i end) n"
        " from range(10000) t(i)) where n is distinct from case when i % 3 > 0 then 'n' || i end"
    ).fetchall()
    assert wrong == [(0,)]


def test_empty_is_links_and_names(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select is_empty_text('@a http://b.c'), is_empty_text('ok'), is_empty_text(null)"
    ).fetchall()
    assert found == [(True, False, None)]


def test_language_is_told_or_undetermined(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select detect_language('The delivery was late and nobody answered my questions.'),"
        " detect_language('Die Lieferung kam zu spät und niemand hat geantwortet.'),"
        " detect_language('https://t.co/x'), detect_language(null)"
    ).fetchall()
    assert found == [("en", "de", "und", None)]


@pytest.mark.parametrize(("t_value", "degrees"), [(2.1, 10), (-0.3, 4.5), (8.0, 170.2), (0.0, 1)])
def test_student_t_is_scipy_s(
    connection: duckdb.DuckDBPyConnection, t_value: float, degrees: float
) -> None:
    (row,) = connection.execute("select student_t_two_sided_p(?, ?)", [t_value, degrees]).fetchall()
    assert row[0] == pytest.approx(2 * stats.t.sf(abs(t_value), degrees), rel=1e-9)


@pytest.mark.parametrize(
    ("t_value", "degrees"), [(None, 5), (2.0, None), ("nan", 5), (2.0, 0), (2.0, -1), (2.0, "nan")]
)
def test_student_t_is_null_where_it_is_unknown(
    connection: duckdb.DuckDBPyConnection, t_value: object, degrees: object
) -> None:
    found = connection.execute(
        "select student_t_two_sided_p(?::double, ?::double)", [t_value, degrees]
    ).fetchall()
    assert found == [(None,)]


def test_student_t_of_infinity_is_zero(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute("select student_t_two_sided_p('inf'::double, 9.0)").fetchall()
    assert found == [(0.0,)]


def _target(folder: Path, model: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(folder / "work.duckdb"))
    dbt_plugin.register(connection)
    connection.execute("create schema raw; create table raw.settings (key varchar, value varchar)")
    connection.execute(
        "insert into raw.settings values ('sentiment_model_dir', ?), ('sentiment_threads', '')",
        [str(model)],
    )
    connection.execute(
        "create table posts as select text_key(text) as text_key, text from"
        " (values ('I love it'), ('I love it'), ('I hate it'), (null), ('https://t.co/1')) t(text)"
    )
    return connection


def test_only_new_texts_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    score_missing = dbt_sentiment.store.score_missing

    def counting(texts: pa.RecordBatchReader, **options: object) -> None:
        table = texts.read_all()
        asked.append(table.num_rows)
        score_missing(table, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(dbt_sentiment.store, "score_missing", counting)
    with _target(tmp_path, make_tiny_checkpoint(tmp_path / "model")) as connection:
        posts = connection.table("posts")
        first = dbt_sentiment.score_texts(connection, posts, posts)
        again = dbt_sentiment.score_texts(connection, posts)
        connection.execute("insert into posts select text_key('so so'), 'so so'")
        third = dbt_sentiment.score_texts(connection, connection.table("posts"))
    assert asked == [3, 1]
    assert (first.num_rows, again.num_rows, third.num_rows) == (3, 3, 4)
    assert first.column_names == list(dbt_sentiment.COLUMNS)
    assert sorted(first.column("status").to_pylist()) == ["empty", "scored", "scored"]


def test_scores_need_a_database_in_a_file() -> None:
    with duckdb.connect() as connection, pytest.raises(SocialSignalsError, match="no file"):
        dbt_sentiment.data_folder(connection)
