"""100,000 orders from a Shopify-speaking server to the marts, and the totals beside the truth.

    python -m benchmarks.shop_orders [--orders 100000] [--seed 7] [--bulk auto]

Two shops in two currencies sell the same products: orders of one to 140 lines, discounts, taxes
within prices and beside them, refunds of lines, of shipping and of money alone, cancellations, test
orders, gift cards, lines of no product. They are pulled, loaded and built; then a few thousand are
refunded, edited, cancelled or added, and pulled, loaded and built again. Each time every measure of
int_sales__daily and fct_daily_sales, by product and business day, must equal what the generator
counted from the orders as it drew them, to the cent, and no request may have been refused.

The server is a process of its own, with Shopify's bucket of points. Waiting for points is not
waited for: both sides share a clock that such waits move on. Memory is the peak of the process that
pulls and then loads, and that of dbt.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks._shop_world import Key, ShopOfWorld

TOKENS = ("shpat_benchmark_one", "shpat_benchmark_two")
VARIABLES = ("SOCIAL_SIGNALS_SHOPIFY_US_TOKEN", "SOCIAL_SIGNALS_SHOPIFY_EU_TOKEN")
CHUNK = 1 << 20


@dataclass(frozen=True)
class Times:
    """The clock of both processes: real seconds and those that were slept without waiting."""

    slept: Any
    began: float
    start: datetime

    def monotonic(self) -> float:
        return time.monotonic() + float(self.slept.value)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic() - self.began)

    def sleep(self, seconds: float) -> None:
        with self.slept.get_lock():
            self.slept.value += seconds

    def until(self, instant: datetime) -> None:
        self.sleep(max(0.0, (instant - self.now()).total_seconds()))


@dataclass
class Measured:
    """What one pull took. Sizes are MiB, times seconds."""

    records: int = 0
    requests: int = 0
    points: int = 0
    slept_s: float = 0.0
    pull_s: float = 0.0
    load_s: float = 0.0
    build_s: float = 0.0
    pull_mib: float = 0.0
    load_mib: float = 0.0
    dbt_mib: float = 0.0
    notes: list[str] = field(default_factory=list)


# The server ---------------------------------------------------------------------------------------


def serve(pipe: Connection, times: Times, seed: int, count: int, folder: Path) -> None:
    """Draw the world, answer for both shops, and do what the pipe says until it says stop."""
    from benchmarks._shop_world import ShopOfWorld, World, totals

    world = World(seed, count)
    wires = [ShopOfWorld(world, shop, folder, times, TOKENS[shop]) for shop in (0, 1)]
    servers = [_listening(wire) for wire in wires]
    pipe.send([wire.url for wire in wires])
    while (asked := pipe.recv()) != "stop":
        if asked == "edit":
            changed = world.edit()
            for wire in wires:
                wire.index()
            pipe.send(changed)
        elif asked == "refused":
            pipe.send(sum(wire.refused for wire in wires))
        else:
            pipe.send(totals(world.orders))
    for server in servers:
        server.shutdown()


def _listening(wire: ShopOfWorld) -> ThreadingHTTPServer:
    from tests.contract.live.server import Request

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            name = urlsplit(self.path).path.rpartition("/")[2]
            path = wire.folder / f"{wire.shop}-{name}"
            self.send_response(200)
            self.send_header("content-length", str(path.stat().st_size))
            self.end_headers()
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    self.wfile.write(chunk)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = wire.answer(Request("POST", urlsplit(self.path).path, {}, headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    return server


# The pipeline -------------------------------------------------------------------------------------


def write_target(folder: Path, urls: Sequence[str], bulk: str, cutoff: datetime) -> Path:
    """The settings file of a target that reads both shops."""
    from benchmarks._shop_world import CURRENCIES, RATES, SHOPS, ZONE

    shops = "\n".join(
        f'[sources.shopify.shops."{name}"]\nbase_url = "{url}"'
        for name, url in zip(SHOPS, urls, strict=True)
    )
    file = folder / "shops.toml"
    file.write_text(
        f"""
[target]
business_timezone = "{ZONE.key}"
currency = "{CURRENCIES[0]}"
exchange_rates = {{ {CURRENCIES[1]} = {RATES[CURRENCIES[1]]} }}
catalogue = "{folder / "catalogue"}"
cutoff_at = {cutoff:%Y-%m-%dT%H:%M:%SZ}
expects = ["sales"]

[sources.shopify]
bulk = "{bulk}"

{shops}
""",
        encoding="utf-8",
    )
    return file


def pull_and_load(
    pipe: Connection, times: Times, file: Path, run_id: str, left_out: Sequence[str]
) -> None:
    """Extract, load and build in this process, and send what it took."""
    from extract._budget import read_uses
    from extract._clock import Clock
    from pipeline.building import run_dbt
    from pipeline.console import meter
    from pipeline.extracting import extract
    from pipeline.running import run_steps
    from pipeline.settings import load_settings

    settings = load_settings(file)
    clock = Clock(times.now, times.monotonic, times.sleep, lambda: 0.5)
    measured = Measured()
    slept, started = float(times.slept.value), time.monotonic()
    for source in extract(settings, run_id=run_id, now=times.now, clock=clock):
        measured.records += source.records
        measured.notes += source.notes
        if source.error is not None:
            measured.notes.append(f"stopped: {source.error}")
    measured.slept_s = float(times.slept.value) - slept
    measured.pull_s = time.monotonic() - started
    for use in read_uses(settings.paths.data / "_budgets"):
        measured.requests += use.requests
        measured.points += use.units.get("points", 0)
    measured.pull_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.monotonic()
    run_steps(settings, "load", now=times.now)
    measured.load_s = time.monotonic() - started
    measured.load_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.monotonic()
    with meter("build") as progress:
        run_dbt(
            settings,
            [
                "build",
                "--select",
                "+fct_daily_sales",
                "+fct_orders",
                "--indirect-selection",
                "cautious",
                *(part for kind in left_out for part in ("--exclude-resource-type", kind)),
            ],
            progress,
        )
    measured.build_s = time.monotonic() - started
    measured.dbt_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    pipe.send(measured)


def differences(
    database: Path, expected: dict[Key, dict[str, Decimal]], table: str
) -> tuple[list[str], int]:
    """What a table says otherwise than the generator, and how many rows agree."""
    import duckdb

    from benchmarks._shop_world import MEASURES

    derived = {
        "gross_units": "gross_units",
        "returned_units": "returned_units",
        "gross_sales": "gross_sales",
        "discounts": "discounts",
        "taxes": "taxes",
        "returns": "returns",
        "returns_by_order_date": "gross_sales - discounts - net_sales_by_order_date",
        "orders_count": "orders_count",
    }
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            f"select product_id, date_day, net_sales, units, {', '.join(derived.values())}"
            f" from {table}"
        ).fetchall()
    found: dict[tuple[str | None, date], dict[str, Decimal]] = {}
    wrong = []
    for product, day, net, units, *values in rows:
        row = dict(zip(MEASURES, map(Decimal, values), strict=True))
        if net != row["gross_sales"] - row["discounts"] - row["returns"]:
            wrong.append(f"{table} {product} {day}: net_sales {net} does not add up")
        if units != row["gross_units"] - row["returned_units"]:
            wrong.append(f"{table} {product} {day}: units {units} do not add up")
        if any(row.values()):
            found[product, day] = row
    same = 0
    for key in sorted(expected.keys() | found.keys(), key=str):
        mine, theirs = expected.get(key), found.get(key)
        if mine == theirs:
            same += 1
            continue
        for measure in MEASURES:
            wanted = mine[measure] if mine else Decimal(0)
            got = theirs[measure] if theirs else Decimal(0)
            if wanted != got:
                wrong.append(f"{table} {key[0]} {key[1]}: {measure} is {got}, not {wanted}")
    return wrong, same


@contextmanager
def _process(times: Times, target: Any, *arguments: Any) -> Iterator[Connection]:  # noqa: ANN401
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, times, *arguments))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.join(60)
        process.terminate()


def measure(
    orders: int,
    seed: int,
    bulk: str,
    folder: Path,
    *,
    left_out: Sequence[str] = ("unit_test",),
) -> int:
    """Run both pulls in a folder and print what they took; the number of differences.

    `left_out` are the kinds of dbt's resources that are not built.
    """
    from benchmarks._shop_world import FIRST_PULL, SECOND_PULL, World

    os.environ["SOCIAL_SIGNALS_DATA"] = str(folder / "data")
    for variable, token in zip(VARIABLES, TOKENS, strict=True):
        os.environ[variable] = token
    World(seed, 0).catalogue(folder / "catalogue")
    (folder / "results").mkdir()
    slept = multiprocessing.get_context("spawn").Value("d", 0.0)
    times = Times(slept, time.monotonic(), FIRST_PULL)
    failures = 0
    with _process(times, serve, seed, orders, folder / "results") as server:
        urls = server.recv()
        file = write_target(folder, urls, bulk, SECOND_PULL.astimezone(UTC))
        times.until(FIRST_PULL + timedelta(seconds=1))
        before = Measured()
        for run_id, what in (("first", f"{orders:,} orders"), ("second", "")):
            if run_id == "second":
                times.until(SECOND_PULL)
                server.send("edit")
                what = f"{server.recv():,} changed or new"
            with _process(times, pull_and_load, file, run_id, left_out) as worker:
                taken: Measured = worker.recv()
            server.send("totals")
            expected = server.recv()
            print(f"{run_id} pull: {what}")
            _print(taken, before)
            before = taken
            for table in ("intermediate.int_sales__daily", "marts.fct_daily_sales"):
                database = next((folder / "data").rglob("work.duckdb"))
                wrong, same = differences(database, expected, table)
                print(f"  {table}: {same:,} of {len(expected):,} product days equal")
                for line in wrong[:10]:
                    print(f"    WRONG {line}")
                failures += len(wrong)
            net = sum(
                (r["gross_sales"] - r["discounts"] - r["returns"] for r in expected.values()),
                Decimal(0),
            )
            units = sum((r["gross_units"] - r["returned_units"] for r in expected.values()), 0)
            print(f"  net sales {net:,.2f}, units {units:,.0f}")
        server.send("refused")
        refused = server.recv()
        server.send("stop")
    print(f"requests refused for want of points: {refused}")
    return failures + refused


def _print(taken: Measured, before: Measured) -> None:
    print(
        f"  pulled {taken.records:,} records in {taken.pull_s:,.1f} s with"
        f" {taken.requests - before.requests:,} requests, {taken.points - before.points:,} points"
        f" and {taken.slept_s:,.0f} s of waiting for them and for operations\n"
        f"  loaded in {taken.load_s:,.1f} s, built in {taken.build_s:,.1f} s;"
        f" peak memory: pull {taken.pull_mib:,.0f} MiB, load {taken.load_mib:,.0f} MiB,"
        f" dbt {taken.dbt_mib:,.0f} MiB"
    )
    for note in taken.notes:
        print(f"  note: {note}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit with 1 when a total is wrong or a request was refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--bulk", choices=("auto", "never", "always"), default="auto")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="shop-orders-") as folder:
        return int(measure(given.orders, given.seed, given.bulk, Path(folder)) > 0)


if __name__ == "__main__":
    sys.exit(main())
