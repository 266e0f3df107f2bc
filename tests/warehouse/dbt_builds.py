"""Tiny warehouses for tests: raw tables from rows given in the test, built by the real project."""

from __future__ import annotations

import atexit
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipeline.building import catalogue_rest
from pipeline.catalogue import EVENT_COLUMNS
from warehouse.schema import ensure_raw_tables, write_settings
from warehouse.tombstones import Tombstones

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "dbt_project"
TARGET = "demo"
FIRST_FETCH = "2026-01-05T10:00:00Z"
_DBT = "from dbt.cli.main import cli; cli()"

# (source, stream) and how a payload names its own record.
STREAMS: dict[tuple[str, str], tuple[str, ...]] = {
    ("x", "posts"): ("id",),
    ("x", "users"): ("id",),
    ("reddit", "submissions"): ("name",),
    ("shopify", "orders"): ("id",),
    ("shopify", "products"): ("id",),
    ("storefront", "reviews"): ("review_id",),
    ("storefront", "calendar_events"): ("event_id",),
    ("google_trends", "interest"): ("term", "geo", "date", "window_start", "draw"),
    ("datasets", "posts"): ("dataset", "post_id"),
    ("datasets", "sales"): ("dataset", "line_id"),
    ("datasets", "reviews"): ("dataset", "review_id"),
    ("datasets", "metrics"): ("dataset", "product_key", "metric", "date"),
    ("hackernews", "hits"): ("objectID",),
    ("hackernews", "items"): ("id",),
    ("rss", "entries"): ("id",),
    ("reddit", "comments"): ("name",),
    ("reddit", "feed_entries"): ("id",),
    ("bluesky", "posts"): ("uri",),
    ("bluesky", "deletions"): ("uri",),
    ("bluesky", "accounts"): ("did",),
    ("mastodon", "statuses"): ("_instance", "id"),
    ("mastodon", "deletions"): ("_instance", "id"),
    ("woocommerce", "orders"): ("_shop", "id"),
    ("woocommerce", "products"): ("_shop", "id"),
    ("woocommerce", "reviews"): ("_shop", "id"),
    ("github", "repositories"): ("id",),
    ("github", "issue_counts"): ("_repository",),
    ("github", "releases"): ("id",),
    ("github", "stars"): ("_repository", "starred_at"),
    ("producthunt", "posts"): ("id",),
}

_PRODUCTS = (
    {"product_id": "apple", "product_name": "Apple", "brand": "Apple", "category": "phones"},
    {"product_id": "claude", "product_name": "Claude", "brand": "Anthropic", "category": "ai"},
)
_TERMS = (
    ("apple", "apple", "keyword"),
    ("apple", "AAPL", "cashtag"),
    ("apple", "apple pie", "exclusion"),
    ("apple", "SKU-APPLE", "sku"),
    ("claude", "claude", "keyword"),
    ("claude", "claudeai", "handle"),
    ("claude", "SKU-CLAUDE", "sku"),
)


_SCRATCH = Path(tempfile.mkdtemp(prefix="dbt_builds"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
PARSED = "partial_parse.msgpack"


def _point_at(folder: Path) -> Path:
    """One path that leads to the target at hand. What dbt has parsed of the project is of use to
    the next target only if the variables that it was parsed with are the same."""
    link = _SCRATCH / "target"
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)
    return link


def _hand_over(source: Path, destination: Path) -> None:
    """Copy what dbt has parsed, unless it is there already: parsing costs eight seconds."""
    if source.exists() and not destination.exists():
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)


@dataclass
class TinyProject:
    """One target in a folder of its own. `land` adds raw rows, `build` runs dbt, `query` asks."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    loads: int = 0

    @property
    def database(self) -> Path:
        """The private database of the build."""
        return self.folder / "data" / TARGET / "work.duckdb"

    def land(
        self,
        source: str,
        stream: str,
        payloads: Iterable[Mapping[str, Any]],
        *,
        fetched_at: str = FIRST_FETCH,
        run_id: str = "run-1",
        is_simulated: bool = True,
    ) -> int:
        """Add one landing file's rows to a raw table, as the loader would; return its load_id."""
        self.loads += 1
        load_id, logical_id = self.loads, f"{source}/{stream}/{run_id}-{self.loads}.jsonl"
        loaded_at = _instant(fetched_at) + timedelta(minutes=1)
        rows = [
            (
                _record_id(source, stream, payload),
                json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
                _instant(fetched_at),
                is_simulated,
                logical_id,
                line,
                run_id,
                load_id,
                loaded_at,
            )
            for line, payload in enumerate(payloads, start=1)
        ]
        with duckdb.connect(str(self.database)) as connection:
            if rows:
                connection.executemany(
                    f"insert into raw.{source}_{stream} values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
            connection.execute(
                "insert into raw.load_log by name select ? as load_id, ? as logical_id,"
                " ? as source, ? as stream, 'records' as kind, ? as run_id, ? as row_count,"
                " 0 as reject_count, 0 as byte_count, '' as sha256, ? as is_simulated,"
                " false as is_damaged, ? as loaded_at",
                [
                    load_id,
                    logical_id,
                    source,
                    stream,
                    run_id,
                    len(rows),
                    is_simulated,
                    loaded_at,
                ],
            )
        return load_id

    def forget(self, source: str, stream: str, record_id: str) -> None:
        """Remove a record as `social-signals forget` does: a tombstone, and gone from raw."""
        with duckdb.connect(str(self.database)) as connection:
            salt = "of this target"
            key = Tombstones(salt).key("record", f"{source}/{stream}", record_id)
            connection.execute(
                "insert into raw.tombstones values (?, ?, 'record', ?, ?, 'asked', ?)",
                [source, stream, key, salt, _instant(FIRST_FETCH)],
            )
            connection.execute(
                f"delete from raw.{source}_{stream} where record_id = ?", [record_id]
            )

    def dbt(self, *arguments: str, expect_success: bool = True) -> str:
        """Run dbt on this target and return what it printed."""
        link = _point_at(self.folder)
        environment = os.environ | {
            "SOCIAL_SIGNALS_DATA": str(link / "data"),
            "SOCIAL_SIGNALS_HOME": str(REPOSITORY),
            "SOCIAL_SIGNALS_CATALOGUE": str(link / "catalogue"),
            "SOCIAL_SIGNALS_CATALOGUE_REST": catalogue_rest(self.folder / "catalogue"),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_PROFILES_DIR": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        parsed = self.folder / "target" / PARSED
        _hand_over(_SCRATCH / PARSED, parsed)
        # A process of its own: dbt keeps its database open for as long as the process lives.
        done = subprocess.run(
            [sys.executable, "-c", _DBT, *arguments, "--target", TARGET],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        _hand_over(parsed, _SCRATCH / PARSED)
        printed = done.stdout + done.stderr
        if expect_success:
            assert done.returncode == 0, printed[-8000:]
        return printed

    def build(self, *arguments: str, expect_success: bool = True) -> str:
        """Build seeds, models and data tests; unit tests need no data and run on their own."""
        return self.dbt(
            "build",
            "--exclude-resource-type",
            "unit_test",
            *arguments,
            expect_success=expect_success,
        )

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a question to the built database."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql, list(parameters)).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the only row of a question as a dictionary."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            cursor = connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or []]
            rows = cursor.fetchall()
        assert len(rows) == 1, f"{len(rows)} rows instead of one: {sql}"
        return dict(zip(names, rows[0], strict=True))

    def tables(self, *schemas: str) -> list[str]:
        """Return schema.table of every table in these schemas, sorted."""
        marks = ", ".join("?" for _ in schemas)
        rows = self.query(
            "select schema_name || '.' || table_name from duckdb_tables()"
            f" where schema_name in ({marks}) order by all",
            schemas,
        )
        return [name for (name,) in rows]


def tiny_project(
    folder: Path,
    *,
    products: Iterable[Mapping[str, str]] = _PRODUCTS,
    terms: Iterable[tuple[str, str, str]] = _TERMS,
    events: Iterable[tuple[str, ...]] | None = None,
    settings: Mapping[str, str] | None = None,
    checkpoint: Path | None = None,
) -> TinyProject:
    """Make an empty target in `folder`: every raw table, the settings and a catalogue.

    `checkpoint` is the folder of the model that scores; without it the tests of everything but
    sentiment leave out the models that need scores (`--exclude int_texts__sentiment+`).
    """
    project = TinyProject(folder)
    project.database.parent.mkdir(parents=True)
    _write_csv(
        folder / "catalogue" / "products.csv",
        ("product_id", "product_name", "brand", "category", "url"),
        [{"url": "", **product} for product in products],
    )
    _write_csv(
        folder / "catalogue" / "terms.csv",
        ("product_id", "term", "kind"),
        [dict(zip(("product_id", "term", "kind"), term, strict=True)) for term in terms],
    )
    if events is not None:
        _write_csv(
            folder / "catalogue" / "events.csv",
            EVENT_COLUMNS,
            [dict(zip(EVENT_COLUMNS, event, strict=True)) for event in events],
        )
    project.settings = {
        "target_name": TARGET,
        "business_timezone": "UTC",
        "currency": "USD",
        "is_simulated": "true",
        "publish_texts": "true",
        "cutoff_at": "2026-12-31T00:00:00Z",
    }
    if checkpoint is not None:
        project.settings["sentiment_model_dir"] = str(checkpoint)
    project.settings |= dict(settings or {})
    with duckdb.connect(str(project.database)) as connection:
        ensure_raw_tables(connection, STREAMS)
        write_settings(connection, project.settings)
    return project


def x_post(post_id: str, text: str, **changes: Any) -> dict[str, Any]:
    """A post as X sends it under the new field names."""
    return {
        "id": post_id,
        "text": text,
        "author_id": "7",
        "created_at": "2026-01-05T09:00:00.000Z",
        "lang": "en",
        "edit_history_post_ids": [post_id],
        "public_metrics": {
            "repost_count": 1,
            "reply_count": 2,
            "like_count": 3,
            "quote_count": 0,
            "bookmark_count": 0,
            "impression_count": 100,
        },
    } | changes


def reddit_submission(post_id: str, title: str, **changes: Any) -> dict[str, Any]:
    """A submission as Reddit lists it; `changes` go into its data."""
    data = {
        "id": post_id,
        "name": f"t3_{post_id}",
        "subreddit": "gadgets",
        "title": title,
        "selftext": "",
        "author": f"author_{post_id}",
        "author_fullname": f"t2_{post_id}",
        "created_utc": 1767603600.0,  # 2026-01-05 09:00 UTC
        "score": 10,
        "ups": 10,
        "upvote_ratio": 0.9,
        "num_comments": 4,
        "permalink": f"/r/gadgets/comments/{post_id}/",
        "is_self": True,
        "over_18": False,
        "edited": False,
        "removed_by_category": None,
    }
    return {"kind": "t3", "data": data | changes}


def dataset_post(post_id: str, text: str, **changes: Any) -> dict[str, Any]:
    """A post of a public data set in the canonical shape of its mapping."""
    return {
        "dataset": "tweets",
        "post_id": post_id,
        "platform": "x",
        "author_id": f"a{post_id}",
        "text": text,
        "created_at": "2026-01-05T09:00:00Z",
        "language": "en",
    } | changes


def review(review_id: str, body: str, **changes: Any) -> dict[str, Any]:
    """A review of the shop's own pages."""
    return {
        "review_id": review_id,
        "sku": "SKU-APPLE",
        "rating": 4,
        "title": "",
        "body": body,
        "author_name": "A. Customer",
        "verified_purchase": True,
        "created_at": "2026-01-05T09:00:00Z",
        "updated_at": "2026-01-05T09:00:00Z",
    } | changes


def _record_id(source: str, stream: str, payload: Mapping[str, Any]) -> str:
    if source == "bluesky" and "commit" in payload:
        commit = payload["commit"]
        return f"at://{payload['did']}/{commit['collection']}/{commit['rkey']}"
    inner = payload.get("data", payload)
    return "|".join(str(inner.get(key)) for key in STREAMS[source, stream])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
