"""The score store: only what is missing, nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from udfs.sentiment import store
from udfs.sentiment.engine import SCORE_SCHEMA
from udfs.sentiment.errors import SentimentError


class CountingEngine:
    """Scores a text by its length; remembers what it was asked."""

    revision = "fake-1"

    def __init__(self) -> None:
        self.asked: list[object] = []

    def score(self, texts: Sequence[object]) -> pa.Table:
        self.asked.extend(texts)
        count = len(texts)
        share = np.array([len(str(text)) / 100 for text in texts], np.float32)
        columns = {
            "p_negative": share, "p_neutral": share, "p_positive": share, "score": share,
            "label": ["neutral"] * count, "confidence": share, "status": ["scored"] * count,
            "model_revision": [self.revision] * count, "read_ratio": np.ones(count, np.float32),
        }  # fmt: skip
        return pa.table({name: pa.array(columns[name]) for name in SCORE_SCHEMA.names}).cast(
            SCORE_SCHEMA
        )


def _texts(first: int, last: int) -> pa.Table:
    numbers = range(first, last)
    return pa.table(
        {
            "text_key": [f"{number:064x}" for number in numbers],
            "text": [f"text {number}" for number in numbers],
        }
    )


def _keys(store_dir: Path) -> list[str]:
    return sorted(store.read(store_dir, "fake-1").column("text_key").to_pylist())


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TEXTS_PER_PART", 10)


def test_only_missing_texts_are_scored(tmp_path: Path) -> None:
    engine = CountingEngine()
    store.score_missing(_texts(0, 25), engine=engine, store_dir=tmp_path)
    store.score_missing(_texts(20, 32), engine=engine, store_dir=tmp_path)
    assert engine.asked == [f"text {number}" for number in range(32)]
    found = store.read(tmp_path, "fake-1")
    assert found.schema == store.READ_SCHEMA
    by_key = dict(zip(found["text_key"].to_pylist(), found["score"].to_pylist(), strict=True))
    assert by_key == {f"{n:064x}": pytest.approx(len(f"text {n}") / 100) for n in range(32)}


def test_a_text_that_comes_twice_is_scored_once(tmp_path: Path) -> None:
    engine = CountingEngine()
    doubled = pa.concat_tables([_texts(0, 15), _texts(5, 18)])
    store.score_missing(doubled, engine=engine, store_dir=tmp_path)
    assert len(engine.asked) == 18
    assert len(_keys(tmp_path)) == 18


def test_a_reader_of_any_batch_size(tmp_path: Path) -> None:
    engine = CountingEngine()
    table = _texts(0, 57)
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=3))
    store.score_missing(reader, engine=engine, store_dir=tmp_path)
    assert len(_keys(tmp_path)) == 57
    parts = list((tmp_path / "fake-1").glob("*.parquet"))
    assert len(parts) == 6


def test_nothing_to_score(tmp_path: Path) -> None:
    store.score_missing(_texts(0, 0), engine=CountingEngine(), store_dir=tmp_path)
    assert store.read(tmp_path, "fake-1").num_rows == 0
    assert store.read(tmp_path, "never seen").schema == store.READ_SCHEMA


def test_progress_counts_missing_texts(tmp_path: Path) -> None:
    store.score_missing(_texts(0, 12), engine=CountingEngine(), store_dir=tmp_path)
    seen: list[tuple[int, int | None]] = []
    store.score_missing(
        _texts(0, 40),
        engine=CountingEngine(),
        store_dir=tmp_path,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 28), (10, 28), (20, 28), (28, 28)]


def test_an_interruption_keeps_the_finished_part(tmp_path: Path) -> None:
    def stop(done: int, _total: int | None) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    first = CountingEngine()
    with pytest.raises(KeyboardInterrupt):
        store.score_missing(_texts(0, 50), engine=first, store_dir=tmp_path, progress=stop)
    assert len(_keys(tmp_path)) == 20
    second = CountingEngine()
    store.score_missing(_texts(0, 50), engine=second, store_dir=tmp_path)
    assert len(second.asked) == 30
    assert len(_keys(tmp_path)) == 50


def test_a_crash_before_the_rename_leaves_no_half_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_self: Path, _target: Path) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(OSError, match="power cut"):
            store.score_missing(_texts(0, 10), engine=CountingEngine(), store_dir=tmp_path)
    assert _keys(tmp_path) == []
    (leftover,) = (tmp_path / "fake-1").glob(".*.tmp")
    os.utime(leftover, (time.time() - 7200,) * 2)
    store.score_missing(_texts(0, 10), engine=CountingEngine(), store_dir=tmp_path)
    assert len(_keys(tmp_path)) == 10
    assert not leftover.exists()


def test_a_killed_process_keeps_what_it_scored(tmp_path: Path, repository: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from tests.unit.test_sentiment_store import CountingEngine, _texts
from udfs.sentiment import store
store.TEXTS_PER_PART = 10
def progress(done, total):
    print(done, flush=True)
    time.sleep(0.05)
folder = Path(sys.argv[1])
store.score_missing(
    _texts(0, 1000), engine=CountingEngine(), store_dir=folder, progress=progress
)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=repository,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 30:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(_keys(tmp_path))
    assert 30 <= kept < 1000
    engine = CountingEngine()
    store.score_missing(_texts(0, 100), engine=engine, store_dir=tmp_path)
    assert len(engine.asked) == max(0, 100 - kept)


def test_a_corrupt_part_is_set_aside_and_its_texts_scored_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.score_missing(_texts(0, 30), engine=CountingEngine(), store_dir=tmp_path)
    victim = sorted((tmp_path / "fake-1").glob("*.parquet"))[1]
    victim.write_bytes(victim.read_bytes()[:100])
    assert len(_keys(tmp_path)) == 20
    assert victim.name in caplog.text
    engine = CountingEngine()
    store.score_missing(_texts(0, 30), engine=engine, store_dir=tmp_path)
    assert engine.asked == [f"text {number}" for number in range(10, 20)]
    assert len(_keys(tmp_path)) == 30
    assert victim.with_name(f"{victim.name}.corrupt").exists()


def test_small_parts_are_merged_without_loss_or_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SMALL_PARTS_KEPT", 3)
    store.score_missing(_texts(0, 25), engine=CountingEngine(), store_dir=tmp_path)
    folder = tmp_path / "fake-1"
    one = sorted(folder.glob("*.parquet"))[0]
    # A crash after the merge, before the small part went: its rows are there twice.
    one.with_name("0-copy.parquet").write_bytes(one.read_bytes())
    assert len(_keys(tmp_path)) == 25
    store.score_missing(_texts(25, 31), engine=CountingEngine(), store_dir=tmp_path)
    (merged,) = folder.glob("*.parquet")
    assert pq.read_table(merged).num_rows == 31
    assert len(_keys(tmp_path)) == 31


def test_reading_while_parts_are_written_and_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SMALL_PARTS_KEPT", 2)
    store.score_missing(_texts(0, 10), engine=CountingEngine(), store_dir=tmp_path)
    failures: list[BaseException] = []
    is_done = threading.Event()

    def reader() -> None:
        least = 10
        while not is_done.is_set():
            try:
                count = len(_keys(tmp_path))
                assert count >= least
                least = count
            except BaseException as error:  # noqa: BLE001
                failures.append(error)
                return

    thread = threading.Thread(target=reader)
    thread.start()
    for start in range(10, 410, 20):
        store.score_missing(_texts(start, start + 20), engine=CountingEngine(), store_dir=tmp_path)
    is_done.set()
    thread.join()
    assert failures == []
    assert len(_keys(tmp_path)) == 410


def test_revisions_live_side_by_side(tmp_path: Path) -> None:
    one, two = CountingEngine(), CountingEngine()
    two.revision = "fake-2"
    store.score_missing(_texts(0, 5), engine=one, store_dir=tmp_path)
    store.score_missing(_texts(0, 7), engine=two, store_dir=tmp_path)
    assert store.read(tmp_path, "fake-1").num_rows == 5
    assert store.read(tmp_path, "fake-2").num_rows == 7


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    engine = CountingEngine()
    with pytest.raises(SentimentError, match="text_key"):
        store.score_missing(pa.table({"text": ["a"]}), engine=engine, store_dir=tmp_path)
    no_key = pa.table({"text_key": pa.array([None], pa.string()), "text": ["a"]})
    with pytest.raises(SentimentError, match="text_key"):
        store.score_missing(no_key, engine=engine, store_dir=tmp_path)
