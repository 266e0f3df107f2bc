"""Forgetting: what is asked for leaves every file of a target, and nothing else does."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest
import zstandard
from typer.testing import CliRunner

from extract import personal
from extract._state import seen_key
from extract.base import Deletion
from extract.personal import Shape, Targets
from extract.registry import declared_streams
from pipeline import cli, forget_plan, forget_removal, forgetting
from pipeline.forget_arrivals import clean_arrivals
from pipeline.forget_requests import begun
from pipeline.forgetting import (
    Asked,
    finish_begun,
    finish_removed,
    keep_promises,
    remove_asked,
)
from pipeline.privacy import guard
from pipeline.running import run_steps
from pipeline.settings import PrivacySettings, Settings, load_settings
from udfs.dbt_plugin import hash_of
from udfs.sentiment import store
from warehouse.commits import list_landed, read_commits, read_cursor
from warehouse.forgetting import lines_of, measure
from warehouse.landing import LandingWriter
from warehouse.lines import FileState
from warehouse.loading import load
from warehouse.schema import open_work

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
VICTIM, OTHER = "1790000000000000007", "1790000000000000008"
WORDS = "Zanzibarian wombats never forget a kettle"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    file.write_text("[target]\nexpects = []\n", encoding="utf-8")
    return load_settings(file)


def land(
    settings: Settings, scope: str, records: Iterable[tuple[str, dict]], run_id="run1", cursor=None
) -> None:
    source, stream = scope.split("/")
    with LandingWriter(
        settings.paths.landing,
        source_name=source,
        run_id=run_id,
        is_simulated=False,
        guard=guard,
        clock=lambda: NOW,
    ) as writer:
        for record_id, payload in records:
            writer.append(source, stream, record_id, payload, NOW)
        writer.commit(cursor)


def post(post_id: str, text: str, **changes) -> tuple[str, dict]:
    return post_id, {"id": post_id, "text": text, "author_id": "77"} | changes


def load_all(settings: Settings):
    return load(
        settings.paths.work, settings.paths.landing, declared_streams(), allow_simulated=False
    )


def scene(settings: Settings) -> None:
    """A target with the victim's post in every place, and others' beside it."""
    reply = {"referenced_tweets": [{"type": "replied_to", "id": VICTIM}]}
    cursor = {
        "walks": {"q": {"done": int(VICTIM), "top": None, "resume": {"after": VICTIM}}},
        "seen": {seen_key("x/posts", VICTIM): "abc", seen_key("x/posts", OTHER): "def"},
        "extra": {"pending": {VICTIM: 1, OTHER: 2}, "refreshed": [VICTIM]},
    }
    posts = [post(VICTIM, WORDS), post(OTHER, "fine"), post("1790000000000000009", "hm", **reply)]
    land(settings, "x/posts", posts, cursor=cursor)
    edit = {"edit_history_tweet_ids": [VICTIM, "1790000000000000010"]}
    land(settings, "x/posts", [post("1790000000000000010", WORDS + "!", **edit)], "run2")
    land(settings, "x/posts", [post("1790000000000000011", "untouched")], "run3")
    with LandingWriter(
        settings.paths.landing, source_name="x", run_id="bad", is_simulated=False, clock=lambda: NOW
    ) as writer:
        writer.reject("x", "posts", repr({"id": int(VICTIM), "text": 7}), "no text")
        writer.reject("x", "posts", json.dumps({"words": WORDS}), "it has no usable id")
        writer.reject("x", "posts", "another", "broken")
        writer.commit()
    load_all(settings)
    with open_work(settings.paths.work) as connection:
        connection.execute("create schema staging; create schema marts")
        connection.execute(
            "create table staging.stg_x__posts as select record_id, payload from raw.x_posts"
        )
        connection.execute("create table marts.fct_posts as from staging.stg_x__posts")
        connection.execute("create table marts.mart_insight_ledger as select 1 as looks")


def everything(folder: Path) -> bytes:
    """The bytes of every file below a folder, and what they hold when unpacked."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.append(path.name.encode() + b"\n" + path.read_bytes())
        if path.name.endswith(".zst"):
            found.append(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())
        if path.suffix == ".parquet":
            found.append(repr(store.pq.read_table(path).to_pylist()).encode())
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for schema, name in connection.execute(
                    "select schema_name, table_name from duckdb_tables()"
                ).fetchall():
                    rows = connection.execute(f'from "{schema}"."{name}"').fetchall()
                    found.append(repr(rows).encode())
    return b"\n".join(found)


def holds(settings: Settings, *needles: str) -> list[str]:
    content = everything(settings.paths.folder)
    return [needle for needle in needles if needle.encode() in content]


def ask(settings: Settings, **groups: set[str]):
    request = remove_asked(
        settings, Asked(Targets(**groups)), run_id="20260105T100000Z-aaaa", now=NOW
    )
    finish_removed(settings, NOW)
    return request


def rows(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.paths.work), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_post_leaves_every_byte_of_the_target(settings: Settings) -> None:
    scene(settings)
    traces = (VICTIM, WORDS, "1790000000000000010", seen_key("x/posts", VICTIM))
    assert holds(settings, *traces) == list(traces), "the search finds what is there"
    untouched = next(f for f in list_landed(settings.paths.landing) if f.run_id == "run3")
    before = untouched.path.read_bytes()

    ask(settings, posts={f"x:{VICTIM}"})

    assert holds(settings, *traces) == []
    others = (OTHER, "1790000000000000009", "untouched", "another")
    assert holds(settings, *others) == list(others)
    assert untouched.path.read_bytes() == before
    assert rows(settings, "select count(*) from marts.mart_insight_ledger") == [(1,)]
    reply = rows(settings, "select payload from raw.x_posts where record_id like '%009'")
    assert json.loads(reply[0][0])["referenced_tweets"] == [
        {"type": "replied_to", "id": "forgotten"}
    ]


def test_commits_log_and_files_agree_afterwards(settings: Settings) -> None:
    scene(settings)
    ask(settings, posts={f"x:{VICTIM}"})
    for file in list_landed(settings.paths.landing):
        assert file.bytes == file.path.stat().st_size
        assert file.sha256 == measure(file).sha256
    log = rows(settings, "select logical_id, byte_count, sha256, row_count from raw.load_log")
    landed = {f.logical_id: (f.bytes, f.sha256) for f in list_landed(settings.paths.landing)}
    assert {name: (size, sha) for name, size, sha, _ in log} == landed
    assert read_cursor(settings.paths.landing, "x") == {
        "walks": {
            "q": {
                "done": int(VICTIM) - 1,
                "top": None,
                "resume": {"after": str(int(VICTIM) - 1)},
            }
        },
        "seen": {seen_key("x/posts", OTHER): "def"},
        "extra": {"pending": {OTHER: 2}, "refreshed": []},
    }


def test_replay_and_another_fetch_bring_nothing_back(settings: Settings) -> None:
    scene(settings)
    ask(settings, posts={f"x:{VICTIM}"})
    query = "select record_id, source_file, line_no, payload from raw.x_posts order by all"
    kept = rows(settings, query)
    assert load_all(settings).files == [], "a rewritten file is not loaded again"
    settings.paths.work.unlink()
    load_all(settings)
    assert rows(settings, query) == kept, "the same rows with the same line numbers"

    again = [post(VICTIM, WORDS), post("1790000000000000020", "new")]
    repost = {"edit_history_tweet_ids": [VICTIM, "1790000000000000021"]}
    land(settings, "x/posts", [*again, post("1790000000000000021", WORDS, **repost)], "run4")
    load_all(settings)
    assert holds(settings, VICTIM, WORDS) == []
    assert rows(settings, "select count(*) from raw.x_posts where record_id like '%020'") == [(1,)]


def test_a_restored_backup_is_cleaned_before_it_is_loaded(settings: Settings) -> None:
    scene(settings)
    order = {"name": "#1", "email": "ann@example.com", "total": "1.00"}
    land(settings, "shopify/orders", [("o1", order)])
    load_all(settings)
    landed = list_landed(settings.paths.landing)
    backup = {file.path: file.path.read_bytes() for file in landed if file.kind == "records"}
    ask(settings, posts={f"x:{VICTIM}"}, customers={"shopify:ann@example.com"})
    for path, content in backup.items():
        path.write_bytes(content)
    by_hand = next(path for path in backup if "run1" in path.name and "posts" in str(path))
    (by_hand.parent / "copy-00001.jsonl.zst").write_bytes(backup[by_hand])
    settings.paths.work.unlink()
    assert clean_arrivals(settings) == 4
    assert clean_arrivals(settings) == 0
    load_all(settings)
    traces = (VICTIM, "1790000000000000010", "ann@example.com")
    assert holds(settings, *traces) == []
    assert holds(settings, OTHER, "untouched") == [OTHER, "untouched"]


def test_an_author_goes_with_all_posts_and_profile_but_later_ones_may_come(
    settings: Settings,
) -> None:
    scene(settings)
    profile = {"id": "77", "username": "WombatFan", "description": "I like kettles"}
    land(settings, "x/users", [("77", profile), ("78", {"id": "78", "username": "b"})])
    land(settings, "x/posts", [post("1790000000000000030", "by another", author_id="78")], "run5")
    load_all(settings)
    ask(settings, authors={"x:wombatfan"})
    assert holds(settings, WORDS, "WombatFan", "kettles", "untouched") == []
    assert rows(settings, "select record_id from raw.x_posts") == [("1790000000000000030",)]
    assert rows(settings, "select record_id from raw.x_users") == [("78",)]
    land(settings, "x/posts", [post("1790000000000000031", "later")], "run6")
    assert holds(settings, "later") == ["later"]


def test_an_author_can_be_kept_out(settings: Settings) -> None:
    scene(settings)
    asked = Asked(Targets(authors={"x:77"}), keep_out=True)
    remove_asked(settings, asked, run_id="20260105T100000Z-aaaa", now=NOW)
    land(settings, "x/posts", [post("1790000000000000031", "later words")], "run6")
    assert holds(settings, "later words") == []


def test_a_customer_leaves_the_sale_and_an_order_goes(settings: Settings) -> None:
    def order(number: int, email: str) -> tuple[str, dict]:
        node = f"gid://shopify/Order/{number}"
        total = {"shopMoney": {"amount": "19.90", "currencyCode": "USD"}}
        return node, {
            "id": node,
            "name": f"#{number}",
            "email": email,
            "customer": {"id": "gid://shopify/Customer/55", "firstName": "Annabella"},
            "totalPriceSet": total,
        }

    other = order(1003, "b@example.com")
    other[1]["customer"] = {"id": "gid://shopify/Customer/56", "firstName": "Bert"}
    orders = [order(1001, "annabella@example.com"), order(1002, "annabella@example.com"), other]
    land(settings, "shopify/orders", orders)
    load_all(settings)
    ask(settings, customers={"shopify:55"})
    assert holds(settings, "Annabella", "annabella@example.com", "Customer/55") == []
    money = "select sum(cast(payload->>'$.totalPriceSet.shopMoney.amount' as decimal(9, 2)))"
    assert float(rows(settings, f"{money} from raw.shopify_orders")[0][0]) == 59.7
    assert holds(settings, "Bert", "#1001") == ["Bert", "#1001"]

    land(settings, "shopify/orders", orders[:1], "run2")
    assert holds(settings, "Annabella") == [], "the shop sends the order again: still nobody"

    ask(settings, orders={"shopify:1002"})
    assert holds(settings, "#1002", "Order/1002") == []
    assert len(rows(settings, "from raw.shopify_orders")) == 2


def test_scores_go_where_nobody_else_posted_the_text(settings: Settings) -> None:
    scene(settings)
    folder = settings.paths.folder / "scores" / "model"
    folder.mkdir(parents=True)
    keys = [hash_of(WORDS), hash_of("fine"), hash_of("unposted")]
    columns = {
        name: pa.nulls(3, kind)
        for name, kind in zip(store.STORE_SCHEMA.names, store.STORE_SCHEMA.types, strict=True)
    }
    table = pa.table(columns | {"text_key": keys}, schema=store.STORE_SCHEMA)
    store._write_part(folder, [table])
    (folder / "old.parquet.corrupt").write_bytes(WORDS.encode())
    request = ask(settings, posts={f"x:{VICTIM}"})
    assert [waiting.request_id for waiting in begun(settings.paths)] == [request.request_id]
    with open_work(settings.paths.work) as connection:
        connection.execute("create schema intermediate")
        connection.execute(
            "create table intermediate.int_posts__unioned as select ? as text_key", [keys[1]]
        )
    (receipt,) = finish_removed(settings, NOW)
    assert store.read(folder.parent, "model").column("text_key").to_pylist() == [keys[1]]
    assert list(folder.glob("*.corrupt")) == []
    assert json.loads(receipt.read_text())["removed"]["scores"] == 2
    assert begun(settings.paths) == []


def test_the_receipt_tells_what_went_where_and_names_nobody(settings: Settings) -> None:
    scene(settings)
    ask(settings, posts={f"x:{VICTIM}"})
    (path,) = (settings.paths.folder / "receipts").iterdir()
    receipt = json.loads(path.read_text())
    assert receipt["asked"] == {"posts": 1}
    assert receipt["removed"]["tables"]["raw.x_posts"] == 2
    assert receipt["removed"]["tables"]["raw.rejects"] == 2
    assert receipt["removed"]["tables"]["raw.x_posts (changed)"] == 1
    landing = receipt["removed"]["landing"]
    counted = {(entry["lines"], entry["changed_lines"]) for entry in landing}
    assert counted == {(1, 1), (1, 0), (2, 0)}
    assert receipt["finished_at"]
    assert len(receipt["removed"]["keys"]["record"]) == 2


def test_asking_twice_finds_nothing_more(settings: Settings) -> None:
    scene(settings)
    ask(settings, posts={f"x:{VICTIM}"})
    before = {path: path.read_bytes() for path in settings.paths.landing.rglob("*.zst")}
    request = ask(settings, posts={f"x:{VICTIM}"})
    assert request.plan.is_empty()
    assert {path: path.read_bytes() for path in settings.paths.landing.rglob("*.zst")} == before


def test_rows_whose_landing_file_is_gone_are_found(settings: Settings) -> None:
    scene(settings)
    for file in list_landed(settings.paths.landing):
        if file.run_id == "run1":
            file.path.unlink()
    ask(settings, posts={f"x:{VICTIM}"})
    assert holds(settings, VICTIM, WORDS) == []


def test_a_damaged_file_is_a_problem_by_name(settings: Settings) -> None:
    scene(settings)
    (file,) = (f for f in list_landed(settings.paths.landing) if f.run_id == "run3")
    file.path.write_bytes(file.path.read_bytes()[:-12])
    request = ask(settings, posts={f"x:{VICTIM}"})
    assert [file.path.name in problem for problem in request.plan.problems] == [True]


@pytest.mark.parametrize("needles", [[b"7"], [b"line 3", b"line 17"], [b"nowhere"], None])
def test_lines_are_found_by_what_they_hold_whatever_piece_they_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needles: list[bytes] | None
) -> None:
    monkeypatch.setattr("warehouse.lines.CHUNK_BYTES", 64)
    texts = [f"Line {n} {'x' * (n % 13)}" if n % 5 else "" for n in range(1, 40)]
    texts[8] = r"\u0037 hidden"
    path = tmp_path / "file.zst"
    # A frame each, so that pieces end where lines do and where they do not.
    halves = [half for text in texts for half in (text[:4], f"{text[4:]}\n")]
    packer = zstandard.ZstdCompressor()
    path.write_bytes(b"".join(packer.compress(half.encode()) for half in halves))
    wanted = [
        (number, text.encode())
        for number, text in enumerate(texts, start=1)
        if text and (needles is None or any(needle in text.lower().encode() for needle in needles))
    ]
    found = list(lines_of(path, FileState(), needles=needles))
    assert [entry for entry in wanted if entry not in found] == []
    assert [number for number, _ in found] == sorted(number for number, _ in found)
    assert set(found) <= {(n, text.encode()) for n, text in enumerate(texts, start=1) if text}
    assert needles is None or len(found) < 20
    assert (9, texts[8].encode()) in found, "a hidden digit is looked into"


def test_whatever_comes_next_finishes_what_was_begun(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene(settings)
    real, calls = forget_removal.rewrite, []

    def stop_at_the_second(file, change):
        calls.append(file)
        if len(calls) == 2:
            raise SystemExit
        return real(file, change)

    with monkeypatch.context() as patch:
        patch.setattr(forget_removal, "rewrite", stop_at_the_second)
        with pytest.raises(SystemExit):
            ask(settings, posts={f"x:{VICTIM}"})
    assert holds(settings, WORDS) == [WORDS]
    assert len(finish_begun(settings)) == 1
    finish_removed(settings, NOW)
    assert holds(settings, VICTIM, WORDS) == []
    for file in list_landed(settings.paths.landing):
        assert file.sha256 == measure(file).sha256


def test_what_a_stream_lands_meanwhile_is_searched_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene(settings)
    real, count = forgetting.find, []

    def find_and_land(*given):
        plan = real(*given)
        if not count:
            # Read before the list knew of it, committed before the list was written.
            land(settings, "x/posts", [post(VICTIM, WORDS)], "beside")
        count.append(1)
        return plan

    monkeypatch.setattr(forgetting, "find", find_and_land)
    ask(settings, posts={f"x:{VICTIM}"})
    assert len(count) == 2
    load_all(settings)
    assert holds(settings, VICTIM, WORDS) == []


# --- what streams told, and what grew too old -------------------------------------------------


def test_what_a_stream_told_was_deleted_goes_with_the_message(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(payload: dict) -> Deletion | None:
        return (
            Deletion(payload.get("post"), payload.get("author"), NOW) if "gone" in payload else None
        )

    module = SimpleNamespace(POSTS_STREAM="posts", DELETIONS={"users": told}, STREAMS=())
    monkeypatch.setitem(forgetting.SOURCES, "x", module)
    monkeypatch.setitem(
        personal.SHAPES, ("x", "posts"), replace(personal.SHAPES["x", "posts"], told=("time_us",))
    )
    monkeypatch.setitem(personal.SHAPES, ("x", "users"), Shape("x", posts=("post",)))
    later = post(OTHER, "made again")[1] | {"time_us": int(NOW.timestamp() * 1e6) + 1}
    land(settings, "x/posts", [post(VICTIM, WORDS), post(OTHER, "made"), (OTHER, later)])
    land(settings, "x/posts", [post("1790000000000000030", "an account's", author_id="9")], "run2")
    messages = [{"post": VICTIM, "gone": 1}, {"post": OTHER, "gone": 1}, {"author": "9", "gone": 1}]
    messages += [{"post": "1790000000000000031"}]
    land(settings, "x/users", [(f"m{n}", message) for n, message in enumerate(messages)])
    load_all(settings)
    asked = Asked(deleted=True)
    (request,) = keep_promises(settings, asked, run_id="20260105T100000Z-aaaa", now=NOW)
    assert request.plan.records == {
        ("x", "posts", VICTIM), ("x", "posts", "1790000000000000030"), ("x", "users", "m0")
    }  # fmt: skip
    assert holds(settings, WORDS, VICTIM, "an account's", "made again") == ["made again"]
    assert keep_promises(settings, asked, run_id="20260105T100001Z-aaaa", now=NOW) == []


def test_records_go_after_the_days_of_their_source(settings: Settings) -> None:
    days = {f"2026-01-0{day}": datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3, 4, 5)}
    for source, stream in (("x", "posts"), ("reddit", "comments")):
        for day, at in days.items():
            with LandingWriter(
                settings.paths.landing,
                source_name=source,
                run_id=f"r{day}",
                is_simulated=False,
                clock=lambda at=at: at + timedelta(hours=13),
            ) as writer:
                # Begun at noon, committed on the next day.
                for hours in (0, 12):
                    name = f"{source} {day} {hours}"
                    writer.append(source, stream, name, {}, at + timedelta(hours=hours))
                writer.reject(source, stream, f"bad {source} {day}", "broken")
                writer.commit()
    load_all(settings)
    kept = settings.model_copy(
        update={"privacy": PrivacySettings(retention_days={"x": 2})}
    )  # fmt: skip
    asked = Asked(expired=True)
    read = []
    real = forget_plan.lines_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forget_plan, "lines_of", lambda path, *a: read.append(path) or real(path, *a))
        assert len(keep_promises(kept, asked, run_id="20260105T100000Z-aaaa", now=NOW)) == 1
    assert {path.parent.name for path in read} == {"2026-01-02", "2026-01-03"}
    names = [name for (name,) in rows(settings, "select record_id from raw.x_posts order by 1")]
    assert names == [
        "x 2026-01-02 12", "x 2026-01-03 0", "x 2026-01-03 12", "x 2026-01-04 0",
        "x 2026-01-04 12", "x 2026-01-05 0", "x 2026-01-05 12",
    ]  # fmt: skip
    assert len(rows(settings, "from raw.reddit_comments")) == 10
    gone = ("x 2026-01-01 0", "x 2026-01-01 12", "x 2026-01-02 0", "bad x 2026-01-01")
    assert holds(settings, *gone) == []
    before = rows(settings, "select record_id, source_file, line_no from raw.x_posts order by all")
    settings.paths.work.unlink()
    assert load_all(settings).problems == []
    after = rows(settings, "select record_id, source_file, line_no from raw.x_posts order by all")
    assert after == before
    assert keep_promises(kept, asked, run_id="20260105T100001Z-aaaa", now=NOW) == []
    land(settings, "x/posts", [("x 2026-01-01 0", {})], "again")
    assert holds(settings, "x 2026-01-01 0") == ["x 2026-01-01 0"], "old is not forgotten"


def test_every_run_keeps_to_the_retention(settings: Settings) -> None:
    scene(settings)
    kept = settings.model_copy(update={"privacy": PrivacySettings(retention_days={"x": 30})})
    assert run_steps(kept, "load", now=lambda: NOW + timedelta(days=30)) == 0
    assert holds(settings, WORDS) == [WORDS]
    assert run_steps(kept, "load", now=lambda: NOW + timedelta(days=31)) == 0
    assert rows(settings, "from raw.x_posts") == []
    assert holds(settings, WORDS, VICTIM, "another") == [VICTIM], "in the cursor, as a position"
    (receipt,) = (settings.paths.folder / "receipts").iterdir()
    assert json.loads(receipt.read_text())["how"] == "retention"


# --- the command -------------------------------------------------------------------------------


def command(settings: Settings, *arguments: str, **options):
    cli.register_other_commands()
    given = ["forget", "--config", str(settings.file), *arguments]
    return CliRunner().invoke(cli.app, given, **options)


def test_the_command_reads_lists_and_names_what_it_does_not_understand(
    settings: Settings, tmp_path: Path
) -> None:
    scene(settings)
    ids = tmp_path / "ids.csv"
    ids.write_text(f"kind,platform,id\npost,twitter,{VICTIM}\nboat,x,1\n,,\n", encoding="utf-8")
    shown = command(settings, "--from-file", str(ids), "--dry-run")
    assert VICTIM in shown.output
    assert WORDS not in shown.output
    assert holds(settings, WORDS) == [WORDS]
    assert command(settings, "--from-file", str(ids)).exit_code != 0, "nobody confirms"
    assert holds(settings, WORDS) == [WORDS]
    done = command(settings, "--from-file", str(ids), "--yes")
    assert done.exit_code == 3
    assert "ids.csv:3" in done.output
    assert holds(settings, WORDS, VICTIM) == []
    settings.paths.published.write_bytes(b"built once")
    assert command(settings, "--post", f"x:{VICTIM}", "--yes").exit_code == 4, (
        "and nothing is built"
    )
    assert begun(settings.paths) == []
    assert len(list((settings.paths.folder / "receipts").iterdir())) == 2


def test_results_of_compliance_jobs_are_understood(settings: Settings, tmp_path: Path) -> None:
    scene(settings)
    lines = [
        {
            "id": VICTIM,
            "action": "delete",
            "created_at": "2026-01-01T00:00:00Z",
            "reason": "deleted",
        },
        {"id": OTHER, "action": "scrub_geo", "reason": "scrub_geo"},
    ]
    file = tmp_path / "result.json"
    file.write_text("\n".join(map(json.dumps, lines)) + "\nnot JSON\n", encoding="utf-8")
    done = command(settings, "--x-posts", str(file), "--yes")
    assert done.exit_code == 3
    assert "result.json:2" in done.output
    assert "result.json:3" in done.output
    assert holds(settings, VICTIM, OTHER) == [OTHER]


@pytest.mark.parametrize("text", ["x", "x:", ":1", "17"])
def test_an_id_without_its_platform_is_refused(settings: Settings, text: str) -> None:
    assert isinstance(command(settings, "--post", text).exception, Exception)


# --- kill -9 -----------------------------------------------------------------------------------


def test_a_killed_forget_ends_clean(settings: Settings) -> None:
    scene(settings)
    many = [post(f"17900000000001{n:05d}", f"{WORDS} {n}", author_id="99") for n in range(2_000)]
    for n in range(10):
        land(settings, "x/posts", many[n * 200 : n * 200 + 200], f"many{n}")
    load_all(settings)
    code = [sys.executable, "-m", "pipeline", "forget", "--config", str(settings.file), "--yes"]
    environment = {**os.environ, "SOCIAL_SIGNALS_DATA": str(settings.paths.data)}
    chance = random.Random(8)
    killed = 0
    for _ in range(4):
        process = subprocess.Popen(
            [*code, "--author", "x:99"], env=environment, stdout=subprocess.DEVNULL
        )
        folder = settings.paths.state / "forgetting"
        until = time.monotonic() + 30
        while not any(folder.glob("*.json")) and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.25))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert killed, "no kill hit a running forget"
    done = subprocess.run(
        [*code, "--resume"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert begun(settings.paths) == []
    assert holds(settings, "wombats never forget a kettle 7") == []
    assert rows(
        settings, "select count(*) from raw.x_posts where record_id like '179000000000010%'"
    ) == [(0,)]
    assert read_commits(settings.paths.landing)
    assert list(settings.paths.folder.rglob("*.tmp")) == []
