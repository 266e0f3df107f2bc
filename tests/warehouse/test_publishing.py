"""The published file is replaced whole; and one run at a time works on a target."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.test_loading import children
from warehouse import publishing
from warehouse.errors import LockedError, PublishError, WarehouseError
from warehouse.lock import read_holder, run_lock
from warehouse.publishing import publish
from warehouse.schema import open_work

BUILD = """
    create schema raw;
    create table raw.x_posts as select 1 as secret;
    create table stg_x__posts as select 1 as secret;
    create table int_posts__unioned as select 1 as secret;
    create table fct_posts__dbt_tmp20260105 as select 1 as secret;
    create schema marts;
    create type mood as enum ('down', 'up');
    create table marts.fct_posts (
        post_key varchar not null primary key, text varchar, posted_at timestamptz, mood mood,
        net_sales decimal(18, 2), payload json
    );
    insert into marts.fct_posts
    select
        'x:' || i, 'text ' || i, timestamptz '2026-01-05 10:00:00+00', 'up', i + 0.25, '{"a": 1.50}'
    from range(3000) as numbers(i);
    comment on table marts.fct_posts is 'One row per post; it''s complete';
    comment on column marts.fct_posts.text is 'as sent';
    create table dim_products (product_id varchar);
    create view mart_sums as select sum(net_sales) as total from marts.fct_posts;
    create table bridge_a as select 1 as n;
    create table ops_runs as select 1 as n;
"""


def build(path: Path, sql: str = BUILD) -> Path:
    with open_work(path) as connection:
        connection.execute(sql)
    return path


def query(path: Path, sql: str) -> list:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def work(tmp_path):
    return build(tmp_path / "work.duckdb")


@pytest.fixture
def published(tmp_path):
    return tmp_path / "published" / "published.duckdb"


def test_results_are_published_with_their_comments_and_nothing_else(work, published):
    tables = publish(work, published)
    assert [(table.schema, table.name, table.row_count) for table in tables] == [
        ("main", "bridge_a", 1),
        ("main", "dim_products", 0),
        ("main", "mart_sums", 1),
        ("main", "ops_runs", 1),
        ("marts", "fct_posts", 3000),
    ]
    assert query(published, "select table_name from duckdb_tables() order by 1") == [
        (name,) for name in ("bridge_a", "dim_products", "fct_posts", "mart_sums", "ops_runs")
    ]
    assert query(published, "select view_name from duckdb_views() where not internal") == [
        ("start_here",)
    ]
    for sql in (
        "select * from marts.fct_posts order by post_key",
        "select column_name, column_type from (describe marts.fct_posts)",
    ):
        assert query(published, sql) == query(work, sql)
    assert query(published, "select total from mart_sums")[0][0] == 3000 * 2999 / 2 + 750
    assert query(published, "select comment from duckdb_tables() where comment is not null") == [
        ("One row per post; it's complete",)
    ]
    assert query(
        published,
        "select column_name, comment from duckdb_columns() "
        "where comment is not null and table_name != 'start_here'",
    ) == [("text", "as sent")]
    assert os.listdir(published.parent) == ["published.duckdb"]  # noqa: PTH208


def test_the_file_is_in_the_storage_version_of_duckdb_1_4(work, published):
    publish(work, published)
    header = published.read_bytes()[:20]
    # 8 bytes of checksum, "DUCK", then the version of the storage: 64 is 0.9 to 1.1, 65 is 1.2,
    # 66 is 1.3, 67 is 1.4. Clients open what is not newer than themselves.
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 67


def test_texts_can_be_left_out_without_changing_the_columns(work, published):
    publish(work, published, without_text_columns=["text"])
    assert query(published, "select count(*), count(text) from marts.fct_posts") == [(3000, 0)]
    assert b"text 299" not in published.read_bytes()
    types = "select column_type from (describe marts.fct_posts) where column_name = 'text'"
    assert query(published, types) == [("VARCHAR",)]


def test_another_choice_of_tables(work, published):
    tables = publish(work, published, is_wanted=lambda name: name == "dim_products")
    assert [table.name for table in tables] == ["dim_products"]


def test_a_reader_keeps_the_picture_it_opened(work, published):
    publish(work, published)
    with duckdb.connect(str(published), read_only=True) as reader:
        first = reader.execute("select count(*) from marts.fct_posts").fetchall()
        with open_work(work) as connection:
            connection.execute("delete from marts.fct_posts where post_key < 'x:2'")
        publish(work, published)
        assert reader.execute(
            "select count(*), sum(net_sales) from marts.fct_posts"
        ).fetchall() == [(first[0][0], 3000 * 2999 / 2 + 750)]
    assert query(published, "select count(*) from marts.fct_posts")[0][0] < 3000


def test_a_log_that_a_killed_build_left_is_part_of_the_picture(tmp_path, published):
    path = tmp_path / "work.duckdb"
    build(path)
    script = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute(\"insert into dim_products values ('late')\"); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert path.with_name("work.duckdb.wal").exists()
    publish(path, published)
    assert query(published, "select product_id from dim_products") == [("late",)]


@pytest.mark.parametrize("where", ["_copy_relation", "_verify", "sync_folder"])
def test_a_failure_leaves_the_old_file(work, published, monkeypatch, where):
    publish(work, published)
    before = published.read_bytes()
    with open_work(work) as connection:
        connection.execute("insert into dim_products values ('new')")

    def fail(*args):
        raise OSError(28, "No space left on device")

    if where == "sync_folder":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(publishing, where, fail)
    with pytest.raises(PublishError, match="as it was") as error:
        publish(work, published)
    assert error.value.remedy
    assert published.read_bytes() == before
    assert os.listdir(published.parent) == ["published.duckdb"]  # noqa: PTH208
    monkeypatch.undo()
    publish(work, published)
    assert query(published, "select * from dim_products") == [("new",)]


def publish_with_little_disk(work: Path, published: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        publish(work, published)
    except PublishError as error:
        os._exit(7 if "disk is full" in error.message else 8)
    os._exit(0)


def test_a_full_disk_leaves_the_old_file(work, published):
    published.parent.mkdir()
    published.write_bytes(b"old")
    child = children().Process(target=publish_with_little_disk, args=(work, published))
    child.start()
    child.join()
    assert child.exitcode == 7
    assert published.read_bytes() == b"old"
    assert os.listdir(published.parent) == ["published.duckdb"]  # noqa: PTH208


def test_leftovers_of_a_killed_publish_are_removed(work, published):
    published.parent.mkdir()
    (published.parent / ".published.duckdb.0123.tmp").write_text("half")
    (published.parent / ".published.duckdb.0123.tmp.wal").write_text("half")
    publish(work, published)
    assert os.listdir(published.parent) == ["published.duckdb"]  # noqa: PTH208


def test_without_work_file_or_results_there_is_nothing_to_publish(tmp_path, published):
    with pytest.raises(PublishError, match="no work file"):
        publish(tmp_path / "work.duckdb", published)
    empty = build(tmp_path / "work.duckdb", "create table stg_a as select 1 as n")
    with pytest.raises(PublishError, match="no table") as error:
        publish(empty, published)
    assert error.value.remedy
    assert not published.exists()


def test_a_work_file_that_is_open_elsewhere_is_named_with_its_holder(work, published):
    with open_work(work), pytest.raises(LockedError, match="this very process"):
        publish(work, published)
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
        with pytest.raises(LockedError, match=str(holder.pid)):
            publish(work, published)
    finally:
        holder.stdin.close()
        holder.wait()
    assert not published.exists()


# --- one run at a time -------------------------------------------------------------------------


def hold(path: Path, pipe) -> None:
    with run_lock(path, command="run --target demo", started_at=datetime(2026, 1, 5, tzinfo=UTC)):
        pipe.send("held")
        pipe.recv()


def test_a_second_run_is_told_who_works(tmp_path):
    path = tmp_path / "target" / "run.lock"
    context = children()
    ours, theirs = context.Pipe()
    child = context.Process(target=hold, args=(path, theirs))
    child.start()
    assert ours.recv() == "held"
    with pytest.raises(LockedError) as error, run_lock(path, command="load"):
        pass
    for word in (str(child.pid), "run --target demo", "2026-01-05"):
        assert word in error.value.message
    assert "Wait" in error.value.remedy
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert read_holder(path)["pid"] == child.pid
    with run_lock(path, command="load") as holder:
        assert read_holder(path) == holder
        assert holder["pid"] == os.getpid()
    assert read_holder(path) is None


def test_the_lock_is_free_after_a_failure(tmp_path):
    path = tmp_path / "run.lock"

    def fail() -> None:
        with run_lock(path, command="run"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with run_lock(path, command="run"):
        pass


def test_the_lock_excludes_within_one_process_too(tmp_path):
    path = tmp_path / "run.lock"
    with (
        run_lock(path, command="run"),
        pytest.raises(LockedError),
        run_lock(path, command="load"),
    ):
        pass


def test_a_lock_in_a_folder_that_cannot_be_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WarehouseError, match="locking"),
        run_lock(tmp_path / "file" / "run.lock", command="run"),
    ):
        pass
