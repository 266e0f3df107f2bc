"""Landing files become raw tables once, whatever is in them and whenever a run is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse import lines, loading
from warehouse.commits import list_landed, recover
from warehouse.errors import LoadError, LockedError
from warehouse.landing import LandingWriter, land_query, read_cursor
from warehouse.loading import load
from warehouse.schema import (
    ensure_raw_tables,
    mark_interrupted_runs,
    open_work,
    record_run,
    write_settings,
)
from warehouse.tombstones import add_tombstones

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
STREAMS = [("x", "posts"), ("x", "users")]


def land(folder: Path, records, *, run_id="run1", stream="posts", is_simulated=False, **options):
    with LandingWriter(
        folder, source_name="x", run_id=run_id, is_simulated=is_simulated, **options
    ) as writer:
        for record_id, payload in records:
            writer.append("x", stream, record_id, payload, NOW)
        return writer.commit()


def put(folder: Path, content: bytes, name: str = "hand-00001") -> Path:
    """A landing file that nobody committed, compressed as given."""
    path = folder / f"x/posts/2026-01-05/{name}.jsonl.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def packed(*texts: bytes) -> bytes:
    """One zstd frame for each text."""
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    return b"".join(compressor.compress(text) for text in texts)


def line(record_id: str, payload: str = '{"a":1}') -> bytes:
    head = '{"fetched_at":"2026-01-05T10:00:00.000000Z","record_id":'
    return f'{head}{json.dumps(record_id)},"payload":{payload}}}\n'.encode()


def run(work, landing: Path, **options):
    return load(work, landing, STREAMS, **({"allow_simulated": False} | options))


def rows(work: Path, sql: str) -> list:
    with duckdb.connect(str(work), read_only=True) as connection:
        return connection.execute(sql).fetchall()


RECORDS = (
    "select record_id, cast(payload as varchar), cast(epoch_us(fetched_at) as bigint), "
    "is_simulated, source_file, line_no, run_id, load_id from raw.x_posts order by load_id, line_no"
)
REJECTS = (
    "select source, stream, text, reason, source_file, line_no, run_id, load_id "
    "from raw.rejects order by load_id, line_no"
)
LOG = "select * exclude (loaded_at) from raw.load_log order by load_id"


def everything(work: Path) -> list:
    return [rows(work, sql) for sql in (RECORDS, REJECTS, LOG)]


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work.duckdb"


@pytest.fixture
def landing(tmp_path):
    return tmp_path / "landing"


def test_records_arrive_as_they_were_landed(work, landing):
    payload = '{"price":1.10,"big":123456789012345678901,"t":"é🙂\\n\\u0041"}'
    land(landing, [("1", {"id": "1"}), ('a"b\\c', payload), ("é🙂 |x", "{}")])
    report = run(work, landing)
    assert (report.row_count, report.reject_count, report.problems) == (3, 0, [])
    micros = int(NOW.timestamp() * 1e6)
    file = list_landed(landing)[0].logical_id
    assert rows(work, RECORDS) == [
        ("1", '{"id":"1"}', micros, False, file, 1, "run1", 1),
        ('a"b\\c', payload, micros, False, file, 2, "run1", 1),
        ("é🙂 |x", "{}", micros, False, file, 3, "run1", 1),
    ]
    assert rows(work, "select count(*) from raw.x_users") == [(0,)]
    assert rows(work, "select row_count, reject_count, is_damaged from raw.load_log") == [
        (3, 0, False)
    ]


BAD_LINES = [
    (b"not json at all", "not JSON"),
    (line("1", '{"a":"\\ud83d"}')[:-1], "surrogate"),
    (line("\ud83d")[:-1], "surrogate"),
    (line("1")[:-9], "not JSON"),
    (line("1", '{"a":"x\0y"}')[:-1], "NUL"),
    (b"\0\0\0\0", "NUL"),
    (line("1", '{"a":"x\x01y"}')[:-1], "control character"),
    (line("1", '{"a":"x\ry"}')[:-1], "control character"),
    (line("1", '{"a":"\xff"}').replace("ÿ".encode(), b"\xff\xfe")[:-1], "not UTF-8"),
    (line("1", '{"a":1}}')[:-1], "not JSON"),
    (line("1", "[1]")[:-1], "not a JSON object"),
    (line("1", "null")[:-1], "no payload"),
    (b'{"record_id":"1","payload":{}}', "no fetched_at"),
    (b"[1,2]", "not a JSON object"),
    (b'{"fetched_at":"yesterdayZ","record_id":"1","payload":{}}', "not an instant"),
    (b'{"fetched_at":"2026-13-05T10:00:00.000000Z","record_id":"1","payload":{}}', "instant"),
    (b'{"fetched_at":"2026-01-05T10:00:00+02:00","record_id":"1","payload":{}}', "in UTC"),
    (b'"quoted', "not JSON"),
    (b"[" * 100_000, "not JSON"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES)
def test_a_bad_line_is_kept_with_its_text_and_reason(work, landing, bad, reason):
    put(landing, packed(line("before") + bad + b"\n\n" + line("after")))
    report = run(work, landing)
    assert (report.row_count, report.reject_count, report.problems) == (2, 1, [])
    assert rows(work, "select record_id, line_no from raw.x_posts order by 2") == [
        ("before", 1),
        ("after", 4),
    ]
    ((text, why, number),) = rows(work, "select text, reason, line_no from raw.rejects")
    assert text == bad.decode("utf-8", "backslashreplace")[: lines.MAX_TEXT_BYTES]
    assert reason in why
    assert number == 2


def test_lines_of_another_form_are_read_all_the_same(work, landing):
    other = (
        b'\xef\xbb\xbf{ "payload": {"a": 1.50}, "record_id": 17, '
        b'"fetched_at": "2026-01-05T10:00:00Z" }\r\n'
    )
    put(landing, packed(other + line("2")[:-1] + b"\r\n   \n" + line('q"3', '{"a": 1.50}')[:-1]))
    report = run(work, landing)
    assert (report.row_count, report.reject_count) == (3, 0)
    assert rows(
        work, "select record_id, cast(payload as varchar), line_no from raw.x_posts order by 3"
    ) == [
        ("17", '{"a":1.5}', 1),
        ("2", '{"a":1}', 2),
        ('q"3', '{"a": 1.50}', 4),
    ]


@pytest.mark.parametrize("too_much", [0, 1])
def test_a_line_that_never_ends_is_a_reject_in_bounded_memory(work, landing, monkeypatch, too_much):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 300_000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 50_000)
    monkeypatch.setattr(lines, "MAX_TEXT_BYTES", 1_000)
    noise = random.Random(1).randbytes(150_000 + 250_000 * too_much).hex()
    put(landing, packed(line("1") + line("2", f'{{"a":"{noise}"}}') + line("3")))
    report = run(work, landing)
    assert (report.row_count, report.reject_count) == (3 - too_much, too_much)
    assert rows(work, "select max(line_no) from raw.x_posts") == [(3,)]
    if too_much:
        ((text, reason, number),) = rows(work, "select text, reason, line_no from raw.rejects")
        assert (len(text), number) == (1_000, 2)
        assert "too long" in reason


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.text(max_size=20).map(lambda text: line(text)[:-1]),
            st.text(max_size=20).map(lambda text: line("1", json.dumps({"t": text}))[:-1]),
            st.binary(max_size=30).map(lambda junk: line("1").replace(b"1}", junk)[:-1]),
        ),
        max_size=12,
    ),
    st.integers(1, 200),
)
def test_no_bytes_stop_a_load_and_none_get_lost(tmp_path_factory, entries, chunk):
    folder = tmp_path_factory.mktemp("any")
    text = b"\n".join(entries)
    put(folder, packed(text))
    original = lines.CHUNK_BYTES
    lines.CHUNK_BYTES = chunk
    try:
        with duckdb.connect() as connection:
            report = run(connection, folder)
            found = connection.execute(
                "select line_no from raw.x_posts union all select line_no from raw.rejects"
            ).fetchall()
    finally:
        lines.CHUNK_BYTES = original
    blank = b"\xef\xbb\xbf \t\r"
    expected = [n for n, entry in enumerate(text.split(b"\n"), 1) if entry.strip(blank)]
    assert sorted(number for (number,) in found) == expected
    assert report.problems == []


# --- damaged files -----------------------------------------------------------------------------


def big_text(count: int = 30_000) -> bytes:
    source = random.Random(3)
    return b"".join(
        line(str(n), json.dumps({"t": source.randbytes(20).hex()})) for n in range(count)
    )


def test_a_truncated_file_gives_what_comes_before_the_cut(work, landing):
    whole = packed(big_text())
    path = put(landing, whole[: len(whole) // 2])
    put(landing, packed(line("good")), "hand-00002")
    report = run(work, landing)
    assert len(report.problems) == 1
    assert str(path) in report.problems[0]
    assert "truncated" in report.problems[0]
    found = rows(work, "select count(*), max(line_no) from raw.x_posts where load_id = 1")
    assert found[0][0] == found[0][1] > 5_000
    assert rows(work, "select record_id from raw.x_posts where load_id = 2") == [("good",)]
    reasons = [row[0] for row in rows(work, "select reason from raw.rejects order by line_no")]
    assert "cannot be read after line" in reasons[-1]
    assert rows(work, "select is_damaged from raw.load_log order by load_id") == [(True,), (False,)]
    # It was taken once; the next load has nothing to do and nothing to complain of.
    assert run(work, landing).files == []


def test_a_restored_file_takes_the_place_of_a_damaged_one(work, landing):
    whole = packed(big_text())
    path = put(landing, whole[:-20_000])
    run(work, landing)
    path.write_bytes(whole)
    report = run(work, landing)
    assert (report.row_count, report.problems) == (30_000, [])
    assert rows(work, "select count(*), count(distinct line_no) from raw.x_posts") == [
        (30_000, 30_000)
    ]
    assert rows(work, "select count(*) from raw.rejects") == [(0,)]
    assert rows(work, "select is_damaged from raw.load_log") == [(False,)]


@pytest.mark.parametrize(
    "content",
    [
        b"this is no zstd file",
        packed(big_text(2_000))[:40] + b"\xff" * 60 + packed(big_text(2_000))[100:],
        packed(line("1"))[:-2],
    ],
)
def test_a_corrupt_file_does_not_keep_the_others_out(work, landing, content):
    path = put(landing, content)
    put(landing, packed(line("good")), "hand-00002")
    report = run(work, landing)
    assert len(report.problems) == 1
    assert path.name in report.problems[0]
    assert "delete the work file" in report.problems[0]
    assert rows(work, "select record_id from raw.x_posts where load_id = 2") == [("good",)]
    assert rows(work, "select count(*) from raw.rejects where source_file like '%00001'")[0][0] >= 1


@pytest.mark.parametrize(
    ("content", "count"),
    [(b"", 0), (packed(b""), 0), (packed(line("1"), b"", line("2")), 2), (packed(b"\n\n"), 0)],
)
def test_empty_files_and_several_frames_are_in_order(work, landing, content, count):
    put(landing, content)
    report = run(work, landing)
    assert (report.row_count, report.reject_count, report.problems) == (count, 0, [])
    assert len(report.files) == 1


def test_a_missing_file_is_a_problem_until_it_is_back(work, landing):
    first, second = land(landing, [("1", {}), ("2", {})], max_part_rows=1)
    content = first.path.read_bytes()
    first.path.unlink()
    report = run(work, landing)
    assert [file.logical_id for file in report.files] == [second.logical_id]
    assert str(first.path) in report.problems[0]
    first.path.write_bytes(content)
    report = run(work, landing)
    assert report.problems == []
    assert rows(work, "select record_id, load_id from raw.x_posts order by 1") == [
        ("1", 2),
        ("2", 1),
    ]


def test_a_file_that_fails_while_it_is_read_leaves_the_others(work, landing, monkeypatch):
    first, _ = land(landing, [("1", {}), ("2", {})], max_part_rows=1)
    original = loading.read_lines

    def read(path, state, **options):
        if path == first.path:
            raise OSError(5, "Input/output error")
        return original(path, state, **options)

    monkeypatch.setattr(loading, "read_lines", read)
    report = run(work, landing)
    assert "Input/output error" in report.problems[0]
    assert rows(work, "select record_id from raw.x_posts") == [("2",)]
    monkeypatch.undo()
    assert run(work, landing).row_count == 1


# --- once, and the same again ------------------------------------------------------------------


def make_history(landing: Path) -> None:
    """Three commits of two streams with good lines, bad lines and extractor rejects."""
    for number in range(3):
        with LandingWriter(
            landing, source_name="x", run_id=f"run{number}", is_simulated=False, max_part_rows=40
        ) as writer:
            for index in range(100):
                payload = {"n": index, "t": "\ud83d" if index % 33 == 7 else "fine"}
                writer.append("x", "posts", f"{number}-{index}", payload, NOW)
                writer.append("x", "users", f"{index}", {"n": index}, NOW)
            writer.reject("x", "posts", "odd \udc00", "no id", origin="page 1")
            writer.commit({"page": number})


def test_loading_twice_changes_nothing(work, landing):
    make_history(landing)
    seen: list[int] = []
    first = run(work, landing, progress=lambda _stream, count: seen.append(count))
    assert sum(seen) == first.row_count
    before = everything(work)
    assert (first.row_count, first.reject_count) == (300 + 300 - 9, 9 + 3)
    second = run(work, landing)
    assert (second.files, second.problems) == ([], [])
    assert everything(work) == before


@pytest.mark.parametrize("group_rows", [1, 90, 10_000])
def test_a_deleted_work_file_is_rebuilt_row_for_row(work, landing, monkeypatch, group_rows):
    for part in range(2):
        if part == 0:
            land(landing, [("early", {})], run_id="run_a")
        else:
            make_history(landing)
        run(work, landing)
    before = everything(work)
    work.unlink()
    monkeypatch.setattr(loading, "GROUP_ROWS", group_rows)
    run(work, landing)
    assert everything(work) == before
    assert (
        rows(work, "select source, text, reason from raw.rejects where reason like 'no id%'")
        == [("x", "odd \\udc00", "no id [page 1]")] * 3
    )


def test_a_rewritten_file_stays_loaded_once(work, landing):
    (file,) = land(landing, [("1", {"t": "one"}), ("2", {"t": "two"})])
    run(work, landing)
    with open_work(work) as connection:
        add_tombstones(connection, landing, [("x", "posts", "1")], reason="asked", created_at=NOW)
    file.path.write_bytes(packed(line("2")))
    assert run(work, landing).files == []
    assert rows(work, "select record_id from raw.x_posts") == [("2",)]
    work.unlink()
    assert run(work, landing).problems == []
    assert rows(work, "select record_id from raw.x_posts") == [("2",)]


def test_a_tombstone_deletes_now_and_keeps_out_later(work, landing):
    land(landing, [("1", {}), ("2", {})])
    land(landing, [("1", {})], stream="users")
    run(work, landing)
    log = rows(work, LOG)
    forget = [("x", "posts", "1"), ("x", "posts", "1"), ("x", "posts", "never seen")]
    with open_work(work) as connection:
        deleted = add_tombstones(connection, landing, forget, reason="asked", created_at=NOW)
        again = add_tombstones(connection, landing, forget, reason="asked", created_at=NOW)
    assert (deleted, again) == (1, 0)
    assert rows(work, LOG) == log
    put(landing, packed(line("1", '{"late":true}'), line("3")))
    report = run(work, landing)
    assert (report.row_count, report.reject_count) == (1, 0)
    kept = "select record_id from raw.x_posts order by 1"
    assert rows(work, kept) == [("2",), ("3",)]
    assert rows(work, "select record_id from raw.x_users") == [("1",)]
    work.unlink()
    run(work, landing)
    assert rows(work, kept) == [("2",), ("3",)]
    assert rows(work, "select count(*) from raw.tombstones") == [(2,)]


def test_a_forgotten_record_does_not_land_again(work, landing):
    with open_work(work) as connection:
        add_tombstones(connection, landing, [("x", "posts", "1")], reason="asked", created_at=NOW)
    assert '"1"' not in (landing / "_tombstones.jsonl").read_text(), "the list names nobody"
    (file,) = land(landing, [("1", {"t": "again"}), ("2", {})])
    assert zstandard.ZstdDecompressor().stream_reader(file.path.read_bytes()).read() == line(
        "2", "{}"
    )
    (other,) = land(landing, [("1", {})], stream="users")
    assert other.rows == 1, "another stream's record of that id"
    query = (
        "select record_id, json_object('t', 1) as payload, now() as fetched_at "
        "from (values ('1'), ('2')) as t(record_id)"
    )
    with (
        duckdb.connect() as connection,
        LandingWriter(landing, source_name="x", run_id="bulk", is_simulated=False) as writer,
    ):
        land_query(connection, query, writer=writer, source="x", stream="posts")
        assert writer.forgotten == 1
        assert [file.rows for file in writer.commit()] == [1]


def test_the_list_of_an_earlier_work_file_is_replaced(work, landing):
    with duckdb.connect(str(work)) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.tombstones (record_id varchar)")
    run(work, landing)
    assert rows(work, "select count(record_key) from raw.tombstones") == [(0,)]


def test_a_damaged_list_of_tombstones_stops_the_load(work, landing):
    land(landing, [("1", {})])
    (landing / "_tombstones.jsonl").write_text("{")
    with pytest.raises(LoadError, match="_tombstones"):
        run(work, landing)


def test_a_failure_inside_a_transaction_leaves_no_trace(work, landing, monkeypatch):
    make_history(landing)
    run(work, landing)
    before = everything(work)
    land(landing, [("late", {})], run_id="run9")
    with monkeypatch.context() as patch:
        patch.setattr(loading, "_write_log", lambda *_: (_ for _ in ()).throw(SystemExit()))
        with pytest.raises(SystemExit):
            run(work, landing)
    assert everything(work) == before
    assert run(work, landing).row_count == 1


# --- around it ---------------------------------------------------------------------------------


def test_a_live_target_refuses_simulated_records(work, landing):
    (file,) = land(landing, [("1", {})], is_simulated=True)
    with pytest.raises(LoadError, match="simulated") as error:
        run(work, landing)
    assert str(file.path) in error.value.message
    assert "demo" in error.value.remedy
    assert run(work, landing, allow_simulated=True).row_count == 1
    assert rows(work, "select is_simulated from raw.x_posts") == [(True,)]


def test_nothing_landed_still_makes_every_table(work, tmp_path):
    report = run(work, tmp_path / "nowhere")
    assert (report.files, report.problems) == ([], [])
    tables = {row[0] for row in rows(work, "select table_name from duckdb_tables()")}
    assert tables == {
        "x_posts",
        "x_users",
        "rejects",
        "load_log",
        "tombstones",
        "budgets",
        "settings",
        "runs",
        "source_states",
        "pulls",
        "steps",
        "test_results",
        "payload_fields",
    }


def test_settings_and_runs_are_replaced(work):
    with open_work(work) as connection:
        write_settings(connection, {"a": "1", "b": None})
        write_settings(connection, {"a": "2"})
        about = {"run_id": "r", "target": "demo", "command": "run", "started_at": NOW}
        record_run(connection, **about, status="running")
        record_run(connection, **about, status="failed", ended_at=NOW, exit_code=3, message="x")
        for run_id in ("killed", "now"):
            record_run(connection, **{**about, "run_id": run_id}, status="running")
        mark_interrupted_runs(connection, current="now")
    assert rows(work, "select key, value from raw.settings") == [("a", "2")]
    assert rows(work, "select run_id, status, exit_code from raw.runs order by run_id") == [
        ("killed", "interrupted", None),
        ("now", "running", None),
        ("r", "failed", 3),
    ]


def test_a_connection_keeps_its_settings(landing):
    land(landing, [("1", {})])
    with duckdb.connect() as connection:
        run(connection, landing)
        kept = connection.execute("select current_setting('preserve_insertion_order')").fetchall()
    assert kept == [(True,)]


def test_a_file_of_an_older_storage_version_works_too(work, landing):
    duckdb.connect(str(work), config={"storage_compatibility_version": "v1.0.0"}).close()
    land(landing, [("1", {})])
    assert run(work, landing).row_count == 1


def test_a_locked_work_file_names_the_process(work, landing):
    open_work(work).close()
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); "
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(work)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LockedError, match=str(holder.pid)) as error:
            run(work, landing)
        assert "Close" in error.value.remedy
    finally:
        holder.stdin.close()
        holder.wait()


def test_a_file_that_is_no_database_is_one_message(work, landing):
    work.write_bytes(b"something else" * 1000)
    with pytest.raises(LoadError, match=r"work\.duckdb") as error:
        run(work, landing)
    assert "delete it" in error.value.remedy


def load_with_little_disk(work: Path, landing: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    try:
        run(work, landing)
    except LoadError as error:
        os._exit(7 if "disk is full" in error.message and error.remedy else 8)
    os._exit(0)


def test_a_full_disk_ends_in_one_message_and_loses_nothing(work, landing):
    land(landing, [("small", {})])
    run(work, landing)
    source = random.Random(5)
    land(landing, ((str(n), {"t": source.randbytes(500).hex()}) for n in range(20_000)))
    child = children().Process(target=load_with_little_disk, args=(work, landing))
    child.start()
    child.join()
    assert child.exitcode == 7
    assert rows(work, "select count(*) from raw.x_posts") == [(1,)]
    assert run(work, landing).row_count == 20_000


# --- kill -9 -----------------------------------------------------------------------------------

PAGES = 12
PAGE_ROWS = 40


def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warehouse.test_loading"])
    return context


def pull_and_load(landing: Path, work: Path, run_id: str) -> None:
    """What a run does: pages from the cursor on, committed with the cursor, then a load."""
    with LandingWriter(landing, source_name="x", run_id=run_id, is_simulated=False) as writer:
        for page in range(writer.cursor.get("page", 0), PAGES):
            for number in range(page * PAGE_ROWS, (page + 1) * PAGE_ROWS):
                text = "\ud83d" if number % 50 == 3 else f"text {number}"
                writer.append("x", "posts", str(number), {"t": text}, NOW)
                writer.append("x", "users", str(number % 7), {"n": number}, NOW)
            writer.reject("x", "posts", f"page {page}", "odd")
            if page % 2:
                writer.commit({"page": page + 1})
        writer.commit({"page": PAGES})
    run(work, landing)


def die_at(landing: Path, work: Path, moment: int, delay: float) -> None:
    """Run, and be killed `delay` seconds after the call number `moment` into the warehouse."""
    calls = 0

    def kill() -> None:
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    def count(frame, event, argument):
        nonlocal calls
        if "/warehouse/" not in frame.f_code.co_filename or not event.endswith("call"):
            return
        calls += 1
        if calls == moment:
            if delay:
                threading.Thread(target=kill).start()
            else:
                kill()

    sys.setprofile(count)
    pull_and_load(landing, work, "killed")
    sys.setprofile(None)
    (landing / "calls").write_text(str(calls))
    time.sleep(2 * delay)


COUNTED = "count(*) from raw.{} group by all order by all"
CONTENT = [
    f"select record_id, cast(payload as varchar), {COUNTED.format('x_posts')}",
    f"select record_id, cast(payload as varchar), {COUNTED.format('x_users')}",
    f"select stream, text, reason, {COUNTED.format('rejects')}",
    "select sum(row_count), sum(reject_count) from raw.load_log",
]


def test_kill_9_at_any_moment_changes_nothing_after_a_rerun(tmp_path):
    context = children()

    def attempt(name: str, moment: int, delay: float) -> tuple[Path, Path, int]:
        landing, work = tmp_path / name / "landing", tmp_path / name / "work.duckdb"
        child = context.Process(target=die_at, args=(landing, work, moment, delay))
        child.start()
        child.join()
        return landing, work, child.exitcode

    landing, work, code = attempt("undisturbed", -1, 0)
    assert code == 0
    expected = [rows(work, sql) for sql in CONTENT]
    assert expected[0]
    assert expected[2]
    calls = int((landing / "calls").read_text())
    chance = random.Random(20260105)
    moments = [chance.randrange(1, calls) for _ in range(10)]
    # Loading is the smaller part of the calls and most of it happens inside of single ones.
    moments += [calls - chance.randrange(1, 150) for _ in range(6)]
    killed = 0
    for number, moment in enumerate(moments):
        delay = chance.choice([0, 0, chance.uniform(0, 0.02)])
        landing, work, code = attempt(f"killed{number}", moment, delay)
        assert code in (-signal.SIGKILL, 0)
        killed += code != 0
        pull_and_load(landing, work, "rerun")
        assert [rows(work, sql) for sql in CONTENT] == expected, f"killed at call {moment}"
        assert read_cursor(landing, "x") == {"page": PAGES}
        assert recover(landing) == []
        work.unlink()
        run(work, landing)
        assert [rows(work, sql) for sql in CONTENT] == expected, f"rebuilt after {moment}"
    assert killed >= 12


def test_declared_names_are_checked():
    with duckdb.connect() as connection, pytest.raises(Exception, match="table name"):
        ensure_raw_tables(connection, [("x", "posts; drop table y")])
