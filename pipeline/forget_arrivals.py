"""Landing files that come from elsewhere, and what of them must not be loaded."""

from __future__ import annotations

import json
from contextlib import closing
from functools import partial

from pipeline.forget_plan import parse
from pipeline.privacy import guard
from pipeline.settings import Settings
from warehouse.commits import list_landed
from warehouse.forgetting import Rewritten, amend_landing, rewrite
from warehouse.landing import record_line
from warehouse.schema import ensure_raw_tables, open_work
from warehouse.tombstones import Tombstones, read_tombstones


def clean_arrivals(settings: Settings) -> int:
    """Before a load: take forgotten ones out of landing files that no writer of this target wrote
    as they are now (put there by hand, restored from a backup), so that neither the file nor a
    table gets them back; returns how many files were rewritten.

    Raises:
        SocialSignalsError: the list is damaged, a full disk.
    """
    paths = settings.paths
    tombstones = read_tombstones(paths.landing)
    if not tombstones.requests:
        return 0
    loaded: set[str] = set()
    if paths.work.exists():
        with closing(open_work(paths.work)) as connection:
            ensure_raw_tables(connection, ())
            rows = connection.execute("select logical_id from raw.load_log").fetchall()
            loaded = {name for (name,) in rows}
    cleaned: dict[str, Rewritten] = {}
    for file in list_landed(paths.landing):
        if file.logical_id in loaded or file.kind != "records" or not file.path.exists():
            continue
        if file.sequence is not None and file.path.stat().st_size == file.bytes:
            continue
        done = rewrite(file, partial(_heed, tombstones, file.source, file.stream))
        if done is not None:
            cleaned[file.logical_id] = done[0]
    if cleaned:
        amend_landing(paths.landing, cleaned)
    return len(cleaned)


def _heed(
    tombstones: Tombstones, source: str, stream: str, _number: int, line: bytes
) -> bytes | None:
    """A line as the list allows it."""
    record = parse(line)
    if record is None:
        return None
    record_id, payload = record
    if tombstones.has("record", f"{source}/{stream}", record_id):
        return b""
    remaining = guard(tombstones, source, stream, record_id, payload)
    if remaining is payload:
        return None
    if remaining is None:
        return b""
    try:
        text = record_line(json.loads(line)["fetched_at"], record_id, remaining)
    except ValueError:
        return b""
    return text.rstrip(b"\n")
