"""The step of the build that scores texts: what is new goes through the engine, all else is kept.

Scores live in the score store beside the database, not in it: deleting the database loses none,
and a build that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa

from udfs.errors import SocialSignalsError
from udfs.sentiment import load_engine, store

_LOG = logging.getLogger(__name__)
_BATCH_ROWS = 4096
_SECONDS_BETWEEN_NEWS = 10.0

COLUMNS = (
    "text_key",
    "p_negative",
    "p_neutral",
    "p_positive",
    "label",
    "score",
    "confidence",
    "status",
    "model_revision",
)


def score_texts(
    session: duckdb.DuckDBPyConnection, *relations: duckdb.DuckDBPyRelation
) -> pa.Table:
    """Score the distinct texts of relations that have `text_key` and `text`.

    Returns one row per distinct `text_key` with the columns `COLUMNS`. Texts are read in batches
    of a few thousand, so memory does not grow with their number; only keys and scores are held.

    Raises `SocialSignalsError` if the model of the settings cannot be used.
    """
    # A cursor of its own: reading texts must not disturb what dbt does on its connection.
    reader = session.cursor()
    texts = " union all ".join(
        f"select text_key, text from ({relation.sql_query()})" for relation in relations
    )
    reader.execute(
        "create or replace temp table wanted_texts as"
        f" select text_key, min(text) as text from ({texts})"
        " where text_key is not null group by text_key"
    )
    store_dir = data_folder(reader) / "scores"
    model_dir, threads = _setting(reader, "model_dir"), _setting(reader, "threads")
    engine = load_engine(
        _setting(reader, "engine") or "embedded",
        model_dir=Path(model_dir) if model_dir else None,
        threads=int(threads) if threads else None,
    )
    reader.register("kept_scores", store.read(store_dir, engine.revision))
    missing = "from wanted_texts where text_key not in (select text_key from kept_scores)"
    total = _count(reader, missing)
    if total:
        store.score_missing(
            reader.execute(f"select text_key, text {missing}").to_arrow_reader(_BATCH_ROWS),
            engine=engine,
            store_dir=store_dir,
            progress=_Progress(total),
        )
        reader.register("kept_scores", store.read(store_dir, engine.revision))
    scores = reader.execute(
        f"select {', '.join(COLUMNS)} from kept_scores"
        " where text_key in (select text_key from wanted_texts)"
    ).to_arrow_table()
    reader.unregister("kept_scores")
    reader.execute("drop table wanted_texts")
    return scores


def data_folder(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the target's folder: the one its database lies in."""
    rows = connection.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    if not rows or not rows[0][0]:
        raise SocialSignalsError(
            "The database has no file, so there is no folder for its scores.",
            "Build a target whose profile names a file.",
        )
    return Path(rows[0][0]).resolve().parent


def _setting(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    """Return what the target's settings say of the sentiment model, '' for nothing."""
    rows = connection.execute(
        "select value from raw.settings where key = ?", [f"sentiment_{key}"]
    ).fetchall()
    return str(rows[0][0] or "") if rows else ""


def _count(connection: duckdb.DuckDBPyConnection, rows_of: str) -> int:
    return int(connection.execute(f"select count(*) {rows_of}").fetchall()[0][0])


class _Progress:
    """Says how far scoring has come: to the command line that started dbt, else to the log."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._started_at = self._said_at = time.monotonic()
        # The command line reads dbt's log as JSON and draws a meter from lines of this shape.
        self._is_json = os.environ.get("SOCIAL_SIGNALS_PROGRESS", "") == "json"

    def __call__(self, done: int, _total: int | None = None) -> None:
        now = time.monotonic()
        if self._is_json:
            event = {
                "info": {"name": "ScoringProgress", "msg": f"{done} of {self._total} texts"},
                "data": {"done": done, "total": self._total},
            }
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        elif done and now - self._said_at >= _SECONDS_BETWEEN_NEWS:
            self._said_at = now
            rate = done / (now - self._started_at)
            left = (self._total - done) / rate
            _LOG.info(
                "scored %d of %d new texts, %.0f/s, %.0f s left", done, self._total, rate, left
            )
