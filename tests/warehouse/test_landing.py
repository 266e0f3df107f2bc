"""Landing files: whole or not at all, together with the cursor."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import zstandard

from warehouse import commits, landing
from warehouse.commits import list_landed, read_cursor, recover
from warehouse.errors import LandingError, explain_os_error
from warehouse.landing import LandingWriter, land_query

NOW = datetime(2026, 1, 5, 23, 59, 59, 1, tzinfo=UTC)


def make_writer(folder: Path, **options) -> LandingWriter:
    given = {"source_name": "x", "run_id": "run1", "is_simulated": False, "clock": lambda: NOW}
    return LandingWriter(folder, **(given | options))


def text_of(path: Path) -> str:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().decode()


def visible(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()]


def test_a_committed_record_is_one_line_of_the_agreed_form(tmp_path):
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "17", {"id": "17", "text": "naïve 🙂\n"}, NOW)
        writer.append("x", "posts", "18", '{"price": 1.10,\n "big": 123456789012345678901}', NOW)
        (file,) = writer.commit({"since": "18"})
    assert file.path == tmp_path / "x/posts/2026-01-05/run1-00001.jsonl.zst"
    assert file.logical_id == "x/posts/2026-01-05/run1-00001"
    assert (file.rows, file.bytes) == (2, file.path.stat().st_size)
    assert text_of(file.path) == (
        '{"fetched_at":"2026-01-05T23:59:59.000001Z","record_id":"17",'
        '"payload":{"id":"17","text":"naïve 🙂\\n"}}\n'
        '{"fetched_at":"2026-01-05T23:59:59.000001Z","record_id":"18",'
        '"payload":{"price": 1.10,  "big": 123456789012345678901}}\n'
    )
    assert read_cursor(tmp_path, "x") == {"since": "18"}


def test_nothing_counts_before_commit_and_leaving_drops_it(tmp_path):
    with make_writer(tmp_path, max_part_rows=2) as writer:
        for number in range(5):
            writer.append("x", "posts", str(number), {}, NOW)
        assert visible(tmp_path) == []
        assert len(hidden(tmp_path)) == 3
    assert hidden(tmp_path) == []
    assert list_landed(tmp_path) == []
    assert read_cursor(tmp_path, "x") == {}


def test_parts_roll_over_by_rows_and_by_bytes(tmp_path):
    with make_writer(tmp_path, max_part_rows=3) as writer:
        for number in range(7):
            writer.append("x", "posts", str(number), {}, NOW)
        assert [file.rows for file in writer.commit()] == [3, 3, 1]
    with make_writer(tmp_path, max_part_bytes=1000, run_id="run2") as writer:
        for number in range(4):
            writer.append("x", "posts", str(number), {"text": "a" * 600}, NOW)
        assert [file.rows for file in writer.commit()] == [2, 2]


def test_a_run_id_used_twice_never_overwrites(tmp_path):
    for number in (1, 2):
        with make_writer(tmp_path) as writer:
            writer.append("x", "posts", str(number), {}, NOW)
            writer.commit()
    assert [file.logical_id[-5:] for file in list_landed(tmp_path)] == ["00001", "00002"]


def test_two_writers_of_one_stream_do_not_meet(tmp_path):
    with (
        make_writer(tmp_path, source_name="x") as first,
        make_writer(tmp_path, source_name="simulated", is_simulated=True) as second,
    ):
        first.append("x", "posts", "1", {}, NOW)
        second.append("x", "posts", "2", {}, NOW)
        files = first.commit({"a": 1}) + second.commit({"b": 2})
    assert len({file.path for file in files}) == 2
    assert [file.is_simulated for file in files] == [False, True]
    assert read_cursor(tmp_path, "x") == {"a": 1}
    assert read_cursor(tmp_path, "simulated") == {"b": 2}


def test_a_commit_without_cursor_keeps_the_last_one(tmp_path):
    with make_writer(tmp_path) as writer:
        assert writer.commit({"page": 1}) == []
        writer.append("x", "posts", "1", {}, NOW)
        writer.commit(None)
        assert writer.cursor == {"page": 1}
    with make_writer(tmp_path) as writer:
        assert writer.cursor == {"page": 1}
        before = visible(tmp_path)
        writer.commit({"page": 1})
    assert visible(tmp_path) == before


def test_what_cannot_be_written_as_json_lands_among_the_rejects(tmp_path):
    bottomless: list = []
    for _ in range(100_000):
        bottomless = [bottomless]
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "1", {"score": float("nan")}, NOW)
        writer.append("x", "posts", "2", "[1, 2]", NOW)
        writer.append("x", "posts", "3", '{"text": "a\nb"}', NOW)
        writer.append("x", "posts", "4", {"deep": bottomless}, NOW)
        writer.reject("x", "posts", "half \ud83d", "no id", origin="page 3")
        writer.reject("x", "posts", "y" * 200_000, "too odd")
        (file,) = writer.commit()
    assert file.logical_id.endswith(".rejects")
    lines = [json.loads(line) for line in text_of(file.path).splitlines()]
    assert [line["origin"] for line in lines] == ["1", "2", "3", "4", "page 3", ""]
    assert lines[4]["text"] == "half \\ud83d"
    assert len(lines[5]["text"]) == landing.MAX_REJECT_CHARACTERS
    assert "200000" in lines[5]["reason"]
    assert all(line["reason"] for line in lines)


def test_a_lone_surrogate_lands_escaped_as_it_was_received(tmp_path):
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "1", {"text": "é \ud83d"}, NOW)
        (file,) = writer.commit()
    assert '"payload":{"text":"é \\ud83d"}}' in text_of(file.path)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: w.append("x", "posts", "1", {}, NOW.replace(tzinfo=None)), "time zone"),
        (lambda w: w.append("X", "posts", "1", {}, NOW), "table name"),
        (lambda w: w.append("x", "../posts", "1", {}, NOW), "table name"),
        (lambda w: w.append_lines("x", "posts", b"{}\n{}\n", rows=1, day="2026-01-05"), "breaks"),
    ],
)
def test_wrong_use_is_refused_with_a_remedy(tmp_path, call, words):
    with make_writer(tmp_path) as writer, pytest.raises(LandingError, match=words) as error:
        call(writer)
    assert error.value.remedy


def test_a_run_id_that_is_no_file_name_is_refused(tmp_path):
    with pytest.raises(LandingError, match="file name"):
        make_writer(tmp_path, run_id="../1")


# --- a crash at each instant -----------------------------------------------------------------


def crash_in(monkeypatch, name: str) -> None:
    """Let the writer die when it calls `name`, and its files look like another process's."""

    def die(*args, **kwargs):
        raise SystemExit(name)

    monkeypatch.setattr(landing, name, die)
    monkeypatch.setattr(LandingWriter, "close", lambda self: None)


def be_a_new_process(monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(commits, "PROCESS_TOKEN", "another")


def test_a_crash_before_the_commit_record_leaves_nothing(tmp_path, monkeypatch):
    crash_in(monkeypatch, "write_commit")
    writer = make_writer(tmp_path)
    writer.append("x", "posts", "1", {}, NOW)
    with pytest.raises(SystemExit):
        writer.commit({"page": 1})
    assert hidden(tmp_path)
    be_a_new_process(monkeypatch)
    assert len(recover(tmp_path)) == 1
    assert hidden(tmp_path) == []
    assert list_landed(tmp_path) == []
    assert read_cursor(tmp_path, "x") == {}


def test_a_crash_after_the_commit_record_is_finished_by_the_next_run(tmp_path, monkeypatch):
    crash_in(monkeypatch, "finish_commit")
    writer = make_writer(tmp_path)
    writer.append("x", "posts", "1", {}, NOW)
    with pytest.raises(SystemExit):
        writer.commit({"page": 1})
    be_a_new_process(monkeypatch)
    # Even a folder that cannot be tidied gives the committed file.
    assert list_landed(tmp_path)[0].path.is_file()
    recover(tmp_path)
    assert visible(tmp_path) == [
        "_commits/x/00000001-run1.json",
        "x/posts/2026-01-05/run1-00001.jsonl.zst",
    ]
    assert hidden(tmp_path) == []
    assert read_cursor(tmp_path, "x") == {"page": 1}


def test_recovering_leaves_the_files_of_a_writer_at_work(tmp_path):
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "1", {}, NOW)
        assert recover(tmp_path) == []
        assert len(writer.commit()) == 1


@pytest.mark.parametrize("moment", ["write", "fsync", "record"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_leaves_what_was_committed(tmp_path, monkeypatch, moment, code):
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "1", {}, NOW)
        writer.commit({"page": 1})
        before = visible(tmp_path)

        def refuse(*args, **kwargs):
            raise OSError(code, os.strerror(code))

        if moment == "write":
            monkeypatch.setattr(landing._HashedFile, "write", refuse)
        elif moment == "fsync":
            monkeypatch.setattr(os, "fsync", refuse)
        else:
            monkeypatch.setattr(commits, "replace_durably", refuse)

        def land() -> None:
            writer.append("x", "posts", "2", {"text": os.urandom(300_000).hex()}, NOW)
            writer.commit({"page": 2})

        with pytest.raises(LandingError) as error:
            land()
        monkeypatch.undo()
        assert ("disk is full" if code == errno.ENOSPC else "No permission") in error.value.message
        assert error.value.remedy
        with pytest.raises(LandingError, match="failed before"):
            writer.append("x", "posts", "3", {}, NOW)
    assert visible(tmp_path) == before
    assert hidden(tmp_path) == []
    assert read_cursor(tmp_path, "x") == {"page": 1}


def test_a_landing_folder_that_cannot_be_made_is_one_message(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LandingError):
        make_writer(tmp_path / "file" / "landing")


def test_every_operating_system_error_gets_a_remedy(tmp_path):
    for code in (errno.ENOSPC, errno.EACCES, errno.EMFILE, errno.EIO):
        message, remedy = explain_os_error(
            OSError(code, os.strerror(code)), doing="writing", path=tmp_path
        )
        assert str(tmp_path) in message
        assert remedy


def test_a_damaged_commit_record_is_named(tmp_path):
    with make_writer(tmp_path) as writer:
        writer.append("x", "posts", "1", {}, NOW)
        writer.commit({"page": 1})
    record = tmp_path / "_commits/x/00000001-run1.json"
    record.write_bytes(record.read_bytes()[:40])
    with pytest.raises(LandingError, match="00000001-run1"):
        read_cursor(tmp_path, "x")
    with pytest.raises(LandingError, match="00000001-run1"):
        list_landed(tmp_path)
    record.unlink()
    assert [file.run_id for file in list_landed(tmp_path)] == ["run1"]


# --- in bulk -----------------------------------------------------------------------------------

QUERY = """
    select
        'id "' || i || '" é' as record_id,
        to_json({'n': i, 't': 'line' || chr(10) || i, 'f': 1.5}) as payload,
        timestamptz '2026-01-05 23:59:59.000001+00' as fetched_at
    from range($n) as numbers(i)
"""


def test_a_query_lands_the_same_lines_as_appending(tmp_path):
    with (
        make_writer(tmp_path / "query", max_part_rows=20_480) as writer,
        duckdb.connect() as connection,
    ):
        connection.execute("set timezone = 'America/New_York'")
        rows = land_query(
            connection, QUERY, writer=writer, source="d", stream="posts", parameters={"n": 50_000}
        )
        files = writer.commit()
    assert rows == 50_000
    assert sum(file.rows for file in files) == 50_000
    assert len(files) == 3
    with make_writer(tmp_path / "append") as writer:
        for number in range(50_000):
            payload = {"n": number, "t": f"line\n{number}", "f": 1.5}
            writer.append("d", "posts", f'id "{number}" é', payload, NOW)
        (one,) = writer.commit()
    assert "".join(text_of(file.path) for file in files) == text_of(one.path)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select null as record_id, '{}' as payload, now() as fetched_at", "without record_id"),
        ("select 1 as record_id, '{\"a\":\n1}' as payload, now() as fetched_at", "line breaks"),
    ],
)
def test_a_query_that_gives_no_records_is_refused(tmp_path, sql, words):
    with (
        make_writer(tmp_path) as writer,
        duckdb.connect() as connection,
        pytest.raises(LandingError, match=words),
    ):
        land_query(connection, sql, writer=writer, source="d", stream="posts")


def test_an_empty_query_lands_nothing(tmp_path):
    with make_writer(tmp_path) as writer, duckdb.connect() as connection:
        query = QUERY.replace("$n", "0")
        assert land_query(connection, query, writer=writer, source="d", stream="posts") == 0
        assert writer.commit() == []
