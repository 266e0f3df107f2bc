"""Bluesky's stream on a bad day: whether anything is lost, twice, or still there once deleted.

    python -m benchmarks.jetstream [--events 100000] [--per-connection 4000] [--no-marts]

A server on this machine, in a process of its own, gives events as Jetstream does: not quite in
order, some twice, and every connection breaks off after a few thousand, in the middle of a frame or
with one close code or another. A post in ten mentions the catalogue; some are changed or deleted,
some accounts are hidden or deleted.

The pull goes through filter, memory, ledger, landing writer and commits, as in a run. What has
landed is compared with what the generator knows, and so is `int_posts__from_bluesky` after a load
and a build of it. The exit code is 1 when something is lost, twice, or not gone.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import importlib
import json
import multiprocessing
import os
import random
import resource
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

STEP_US = 20_000
CLOSE_CODES = (1001, 1006, 1008, 1011, 1013)
_WORDS = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "we",
    "look",
)
Landed = tuple[str, str, str]


@dataclass(slots=True)
class World:
    """What the server tells, in its order, and what must come of it."""

    lines: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    expected: Counter[Landed] = field(default_factory=Counter)
    standing: set[str] = field(default_factory=set)


def identity(stream: str, record_id: str, event: dict[str, Any]) -> Landed:
    """What makes an event the same one."""
    return stream, record_id, json.dumps(event, sort_keys=True)


def make_world(events: int, *, seed: int, end_us: int) -> World:
    """Events up to `end_us`, 20 ms apart."""
    maker = _Maker(random.Random(seed), max(50, events // 20))
    for number in range(events):
        maker.step(number, end_us - (events - number) * STEP_US)
    world, told = maker.world, maker.told
    world.standing = {uri for uri, did in maker.alive.items() if did not in maker.hidden}
    _disorder(told, maker.chance)
    world.times = [time_us for time_us, _ in told]
    world.lines = [json.dumps(event).encode() for _, event in told]
    return world


@dataclass(slots=True)
class _Maker:
    """Authors who post, change, delete and leave."""

    chance: random.Random
    authors: int
    world: World = field(default_factory=World)
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    alive: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def step(self, number: int, time_us: int) -> None:
        dice = self.chance.random()
        if dice < 0.06 and self.kept:
            event = self._change(number, time_us, is_delete=dice < 0.04)
        elif dice < 0.08:
            event = _commit(self._anybody(), f"x{number}", time_us, "delete")
        elif dice < 0.0851 and self.kept:
            event = self._leave(time_us, is_for_good=dice >= 0.085)
        else:
            event = self._post(number, time_us)
        if event is None:
            return
        self.told.append((time_us, event))
        if self.chance.random() < 0.01:
            self.told.append((time_us, event))

    def _anybody(self) -> str:
        return f"did:plc:{self.chance.randrange(self.authors):08d}"

    def _expect(self, stream: str, record_id: str, event: dict[str, Any]) -> None:
        self.world.expected[identity(stream, record_id, event)] += 1

    def _change(self, number: int, time_us: int, *, is_delete: bool) -> dict[str, Any] | None:
        did, rkey = self.chance.choice(self.kept)
        uri = f"at://{did}/app.bsky.feed.post/{rkey}"
        if uri not in self.alive:
            return None
        if is_delete:
            del self.alive[uri]
            event = _commit(did, rkey, time_us, "delete")
            self._expect("deletions", uri, event)
            return event
        event = _commit(did, rkey, time_us, "update", f"changed at {number}")
        self._expect("posts", uri, event)
        return event

    def _leave(self, time_us: int, *, is_for_good: bool) -> dict[str, Any]:
        did = self.chance.choice(self.kept)[0]
        status: str | None = "deleted" if is_for_good else "deactivated"
        if did in self.hidden and not is_for_good:
            self.hidden.discard(did)
            status = None
        else:
            self.hidden.add(did)
        if is_for_good:
            self.alive = {uri: author for uri, author in self.alive.items() if author != did}
        event = _account(did, time_us, status)
        self._expect("accounts", did, event)
        return event

    def _post(self, number: int, time_us: int) -> dict[str, Any]:
        did, rkey = self._anybody(), f"p{number}"
        is_ours = self.chance.random() < 0.1
        words = [self.chance.choice(_WORDS) for _ in range(self.chance.randint(5, 40))]
        if is_ours:
            brand = self.chance.choice(("Acme", "#acmelife"))
            words.insert(self.chance.randrange(len(words)), brand)
        event = _commit(did, rkey, time_us, "create", " ".join(words))
        if is_ours:
            uri = f"at://{did}/app.bsky.feed.post/{rkey}"
            self.kept.append((did, rkey))
            self.alive[uri] = did
            self._expect("posts", uri, event)
        return event


def _disorder(told: list[tuple[int, dict[str, Any]]], chance: random.Random) -> None:
    """Neighbours change places, unless they are of one repository."""
    for at in range(len(told) - 1):
        if chance.random() < 0.1 and told[at][1]["did"] != told[at + 1][1]["did"]:
            told[at], told[at + 1] = told[at + 1], told[at]


def _revision(time_us: int) -> str:
    digits = "234567abcdefghijklmnopqrstuvwxyz"
    return "".join(digits[time_us >> 5 * place & 31] for place in range(12, -1, -1))


def _commit(
    did: str, rkey: str, time_us: int, operation: str, text: str | None = None
) -> dict[str, Any]:
    commit: dict[str, Any] = {
        "rev": _revision(time_us),
        "operation": operation,
        "collection": "app.bsky.feed.post",
        "rkey": rkey,
    }
    if text is not None:
        at = datetime.fromtimestamp(time_us / 1e6, UTC)
        record = {"$type": "app.bsky.feed.post", "createdAt": at.isoformat(), "text": text}
        commit |= {"record": record | {"langs": ["en"]}, "cid": f"bafy{time_us}"}
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": commit}


def _account(did: str, time_us: int, status: str | None) -> dict[str, Any]:
    account: dict[str, Any] = {"active": status is None, "did": did, "seq": time_us}
    account |= {"time": str(time_us), **({"status": status} if status else {})}
    return {"did": did, "time_us": time_us, "kind": "account", "account": account}


class Server:
    """Tells a world from the cursor that it is asked for, a few thousand events a connection."""

    def __init__(self, world: World, per_connection: int) -> None:
        self.connections = 0
        self._world = world
        self._frames = [
            Frame(Opcode.TEXT, line).serialize(mask=False, extensions=[]) for line in world.lines
        ]
        # Neighbours may have changed places: from here on nothing older follows.
        self._floors = list(world.times)
        for at in range(len(self._floors) - 2, -1, -1):
            self._floors[at] = min(self._floors[at], self._floors[at + 1])
        self._per_connection = per_connection
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"ws://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for connection in [self._socket, *self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open = [connection]
                with contextlib.suppress(OSError), connection:
                    self._tell(connection)

    def _tell(self, connection: socket.socket) -> None:
        protocol = ServerProtocol()
        request = None
        while request is None:
            protocol.receive_data(connection.recv(65_536))
            events = protocol.events_received()
            request = events[0] if events and isinstance(events[0], Request) else None
        protocol.send_response(protocol.accept(request))
        connection.sendall(b"".join(protocol.data_to_send()))
        cursor = int(parse_qs(urlsplit(request.path).query)["cursor"][0])
        self.connections += 1
        start = bisect.bisect_left(self._floors, cursor)
        end = start + self._per_connection
        for at in range(start, min(end, len(self._frames)), 200):
            connection.sendall(b"".join(self._frames[at : min(at + 200, end)]))
        if end < len(self._frames):
            code = CLOSE_CODES[self.connections % len(CLOSE_CODES)]
            last = self._frames[end]
            if code != 1006:
                last = Frame(Opcode.CLOSE, Close(code, "").serialize()).serialize(mask=False)
            connection.sendall(last if code != 1006 else last[: len(last) // 2])
            return
        now = int(time.time() * 1e6)
        newest = json.dumps(_commit("did:plc:clock", "tick", now, "create", "tick")).encode()
        connection.sendall(Frame(Opcode.TEXT, newest).serialize(mask=False, extensions=[]))
        while connection.recv(65_536):
            pass


@contextlib.contextmanager
def serving(world: World, per_connection: int) -> Iterator[Server]:
    """A server in this process."""
    server = Server(world, per_connection)
    try:
        yield server
    finally:
        server.close()


def _serve_apart(
    events: int, seed: int, end_us: int, per_connection: int, told: multiprocessing.Queue[str]
) -> None:
    with serving(make_world(events, seed=seed, end_us=end_us), per_connection) as server:
        told.put(server.url)
        threading.Event().wait()


def write_target(folder: Path, url: str) -> Path:
    """A target of its own with a small catalogue; returns its settings file."""
    catalogue = folder / "catalogue"
    catalogue.mkdir(parents=True)
    (catalogue / "products.csv").write_text(
        "product_id,product_name,brand,category,url\nacme,Acme,Acme,tools,\n"
    )
    terms = "product_id,term,kind\nacme,acme,keyword\nacme,acmelife,hashtag\n"
    (catalogue / "terms.csv").write_text(terms)
    file = folder / "stream.toml"
    file.write_text(
        f'[target]\ncatalogue = "{catalogue}"\nexpects = ["posts"]\n\n[sources.bluesky]\n'
        f'jetstream_urls = ["{url}"]\nfirst_hours = 8760\nidle_seconds = 5\npace_s = 0\n'
        "overlap_seconds = 5\n"
    )
    return file


@dataclass(slots=True)
class Measured:
    """What a pull brought and took."""

    landed: Counter[Landed]
    seconds: float
    cpu_s: float
    peak_mib: float
    requests: int
    error: str


def pull(file: Path) -> Measured:
    """Pull once through the pipeline and read what has landed."""
    from extract._budget import read_uses
    from extract._clock import Clock
    from pipeline.extracting import extract
    from pipeline.settings import load_settings

    settings = load_settings(file)

    def nap(seconds: float) -> None:
        time.sleep(min(seconds, 0.01))

    started, began = time.perf_counter(), time.process_time()
    (pulled,) = extract(
        settings, run_id="bench", now=lambda: datetime.now(UTC), clock=Clock(sleep=nap)
    )
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    landed: Counter[Landed] = Counter()
    for stream in ("posts", "deletions", "accounts"):
        for record_id, event in read_landed(settings.paths.landing, stream):
            landed[identity(stream, record_id, event)] += 1
    requests = sum(use.requests for use in read_uses(settings.paths.budgets))
    return Measured(landed, seconds, cpu_s, peak, requests, str(pulled.error or ""))


def read_landed(landing: Path, stream: str) -> Iterator[tuple[str, dict[str, Any]]]:
    from warehouse.commits import list_landed
    from warehouse.lines import FileState, read_lines

    for file in list_landed(landing):
        if (file.stream, file.kind) != (stream, "records"):
            continue
        for batch in read_lines(file.path, FileState()):
            ids, payloads = batch.column("record_id"), batch.column("payload")
            for record_id, payload in zip(ids.to_pylist(), payloads.to_pylist(), strict=True):
                yield record_id, json.loads(payload)


def build(file: Path) -> set[str]:
    """Load, build the posts of Bluesky, and return which stand."""
    import duckdb

    from pipeline.building import run_dbt
    from pipeline.console import meter
    from pipeline.running import run_steps
    from pipeline.settings import load_settings

    settings = load_settings(file)
    run_steps(settings, "load")
    with meter("build") as progress:
        run_dbt(settings, ["run", "--select", "+int_posts__from_bluesky"], progress)
    with duckdb.connect(str(settings.paths.work), read_only=True) as connection:
        rows = connection.execute("select post_id from intermediate.int_posts__from_bluesky")
        return {post_id for (post_id,) in rows.fetchall()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--per-connection", type=int, default=4_000)
    parser.add_argument("--no-marts", action="store_true", help="leave out load and build")
    given = parser.parse_args()
    end_us = int(time.time() * 1e6)
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[str] = context.Queue()
    numbers = (given.events, 1, end_us, given.per_connection)
    process = context.Process(target=_serve_apart, args=(*numbers, told), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SOCIAL_SIGNALS_DATA"] = f"{folder}/data"
        file = write_target(Path(folder), told.get())
        importlib.import_module("pipeline.extracting")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        measured = pull(file)
        process.terminate()
        world = make_world(given.events, seed=1, end_us=end_us)
        lost = sum((world.expected - measured.landed).values())
        extra = sum((measured.landed - world.expected).values())
        print(f"{given.events:,} events, {sum(measured.landed.values()):,} landed", flush=True)
        print(
            f"{given.events / measured.seconds:,.0f} events/s in {measured.seconds:.1f} s; "
            f"{given.events / measured.cpu_s:,.0f} events a second of one core"
        )
        print(f"{measured.peak_mib:,.0f} MiB at most, {before:,.0f} MiB of them before the pull")
        print(f"{measured.requests - 1:,} reconnects; lost {lost:,}, twice or strange {extra:,}")
        is_wrong = bool(lost or extra or measured.error)
        if measured.error:
            print(f"error: {measured.error}")
        if not given.no_marts:
            standing = build(file)
            kept, gone = standing - world.standing, world.standing - standing
            print(
                f"{len(standing):,} posts stand; {len(kept):,} should not, {len(gone):,} are gone"
            )
            is_wrong |= bool(kept or gone)
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
