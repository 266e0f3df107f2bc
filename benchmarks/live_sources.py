"""How fast and how large the machinery of live sources is, with tweepy's own Paginator beside it.

    python -m benchmarks.live_sources [--posts 20000] [--rounds 3]

A server on this machine, in a process of its own, gives pages of 100 posts of about 900 bytes as
X's recent search does. Each way is a process of its own; its memory is the peak of that process,
imports included.

* `paginator`: `tweepy.Paginator`, each page parsed, nothing kept;
* `pull`: this project's source over the same wire, limits, redaction and seen-set included,
  nothing kept;
* `ledger`: the same with the budget written and synced before each request;
* `landed`: the same, and every page through the landing writer with its cursor, committed every
  2,000 records.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from extract.base import Page

    Ports = multiprocessing.Queue[int]

PAGE = 100
TOKEN = "benchmark-token"
WAYS = ("paginator", "pull", "ledger", "landed")
COMMIT_RECORDS = 2_000


def page(number: int, pages: int) -> bytes:
    """One page as X gives it: posts, authors, the next token."""
    from extract.x import id_at

    now = id_at(datetime(2026, 11, 20, tzinfo=UTC))
    posts = [
        {
            "id": str(now - (number * PAGE + index) * 4_000_000),
            "text": f"post {index} of page {number} " + "about a product that works " * 8,
            "author_id": str(index % 50),
            "created_at": "2026-11-20T00:00:00.000Z",
            "conversation_id": "1",
            "edit_history_tweet_ids": ["1"],
            "entities": {"hashtags": [{"start": 0, "end": 9, "tag": "product"}]},
            "lang": "en",
            "public_metrics": {"like_count": index, "reply_count": 0, "retweet_count": 1},
        }
        for index in range(PAGE)
    ]
    meta: dict[str, Any] = {"result_count": PAGE, "newest_id": posts[0]["id"]}
    if number + 1 < pages:
        meta["next_token"] = f"t{number + 1}"
    users = [{"id": str(index), "username": f"user{index}"} for index in range(50)]
    return json.dumps({"data": posts, "includes": {"users": users}, "meta": meta}).encode()


def serve(pages: int, ready: Ports) -> None:
    bodies = [page(number, pages) for number in range(pages)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            token = query.get("next_token", query.get("pagination_token", ["t0"]))[0]
            body = bodies[int(token[1:])]
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_address[1])
    server.serve_forever()


def paginator(url: str) -> int:
    import requests
    import tweepy

    class ToServer(requests.adapters.HTTPAdapter):
        def send(  # type: ignore[override]
            self, request: requests.PreparedRequest, *args: object, **kwargs: object
        ) -> requests.Response:
            request.url = str(request.url).replace("https://api.twitter.com", url)
            return super().send(request, *args, **kwargs)  # type: ignore[arg-type]

    client = tweepy.Client(TOKEN, return_type=dict)
    client.session.mount("https://", ToServer())
    pages = tweepy.Paginator(client.search_recent_tweets, "product", max_results=PAGE)
    return sum(len(found["data"]) for found in pages)


def pull(url: str, folder: Path | None, *, is_landed: bool = False) -> int:
    from extract import x
    from extract.base import Context
    from warehouse.landing import LandingWriter

    settings = x.Settings(
        base_url=url,
        queries=("product",),
        pace_s=0.0,
        max_pages=1_000_000,
        budget={"requests": 1_000_000},  # type: ignore[arg-type]
        prices_usd={},
    )

    def now() -> datetime:
        return datetime.now(UTC)

    context = Context(
        run_id="bench",
        now=now,
        catalogue=(),
        root=Path(),
        truth_path=Path(),
        environment={x.TOKEN: TOKEN},
        budgets=folder,
    )
    pages: Iterator[Page] = x.pull(settings, {}, context)
    if not is_landed:
        return sum(_posts(found) for found in pages)
    assert folder is not None
    posts = waiting = 0
    with LandingWriter(
        folder / "landing", source_name="x", run_id="bench", is_simulated=False
    ) as writer:
        cursor: Any = None
        for found in pages:
            for record in found.records:
                source, stream = record.stream.split("/")
                writer.append(source, stream, record.record_id, record.payload, record.fetched_at)
            posts, waiting, cursor = (
                posts + _posts(found),
                waiting + len(found.records),
                found.cursor,
            )
            if waiting >= COMMIT_RECORDS:
                writer.commit(cursor)
                waiting = 0
        writer.commit(cursor)
    return posts


def _posts(found: Page) -> int:
    return sum(record.stream == "x/posts" for record in found.records)


def measure(way: str, url: str) -> None:
    """One way in this process; prints posts, seconds, CPU seconds and peak MiB as JSON."""
    # What is measured is not the import.
    for module in ("tweepy", "extract.x", "extract._bridge", "warehouse.landing"):
        importlib.import_module(module)

    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), time.process_time()
        if way == "paginator":
            posts = paginator(url)
        else:
            kept = None if way == "pull" else Path(folder)
            posts = pull(url, kept, is_landed=way == "landed")
        wall, used = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"posts": posts, "wall": wall, "cpu": used, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.way:
        measure(given.way, given.url)
        return
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    server = context.Process(target=serve, args=(given.posts // PAGE, ready), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ready.get(timeout=60)}"
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    try:
        for _ in range(given.rounds):
            for way in WAYS:
                command = [sys.executable, "-m", __spec__.name, "--way", way, "--url", url]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[way].append(json.loads(done.stdout))
    finally:
        server.terminate()
        server.join()
    print(f"{given.posts:,} posts in pages of {PAGE}, medians of {given.rounds} rounds")
    for way, rounds in found.items():
        assert all(entry["posts"] == given.posts for entry in rounds), way
        wall, cpu, peak = (
            statistics.median(entry[key] for entry in rounds) for key in ("wall", "cpu", "peak")
        )
        print(
            f"{way:10s} {given.posts / wall:9,.0f} posts/s  {given.posts / cpu:9,.0f} posts/s of "
            f"one core  {peak:6.0f} MiB"
        )


if __name__ == "__main__":
    main()
