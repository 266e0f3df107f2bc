"""Streaming: speed and memory against a bare consumer, and kill -9 at random moments.

    python -m benchmarks.streaming speed [--messages 60000]
    python -m benchmarks.streaming kills [--kills 50]

The cluster is librdkafka's mock (a process of its own, over TCP). It keeps about 5 MB a partition,
so topics are filled while they are read. Exits with 1 when a message is lost or landed twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import duckdb
from confluent_kafka import Consumer, Producer

from pipeline.running import utc_now
from pipeline.settings import Settings, load_settings
from pipeline.streaming import Counts, Stream
from tests.kafka_cluster import running_cluster
from warehouse.commits import list_landed
from warehouse.lines import FileState, read_objects

SHARES = {"stream": 0.8, "load": 0.1, "build": 0.1}
"""Of the kills: consumer, loader, build."""
STREAMS = ("x.posts", "reddit.comments")
TEXT = "acme is fine, and the new checkout is faster than the old one was. " * 4


def message(number: int) -> bytes:
    payload = {"id": str(number), "text": TEXT, "created_at": "2026-01-05T09:00:00Z"}
    content = {"fetched_at": "2026-01-05T10:00:00Z", "record_id": str(number), "payload": payload}
    return json.dumps(content).encode()


def produce(brokers: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for number in range(first, first + count):
        topic = f"social-signals.{STREAMS[number % 2]}"
        while True:
            try:
                producer.produce(topic, message(number), str(number))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0


def target(folder: Path, brokers: str) -> Settings:
    file = folder / "shop.toml"
    file.write_text(
        "[target]\nexpects = []\n[kafka]\nsession_seconds = 6\nbatch_seconds = 1\n"
        f'brokers = "{brokers}"\n[sources.datasets]\nenabled = false\n',
        encoding="utf-8",
    )
    return load_settings(file)


def check(settings: Settings, count: int) -> int:
    """How many messages of `count` are missing or landed more than once."""
    found: Counter[str] = Counter()
    for file in list_landed(settings.paths.landing):
        for _, content, _ in read_objects(file.path, FileState()):
            found[str((content or {}).get("record_id"))] += 1
    missing = sum(1 for number in range(count) if not found[str(number)])
    twice = sum(1 for times in found.values() if times > 1)
    sys.stdout.write(f"of {count:,} messages {missing:,} lost, {twice:,} landed twice\n")
    return missing + twice


def speed(folder: Path, count: int) -> int:
    with running_cluster() as brokers:
        produce(brokers, 0, count)
        settings = target(folder, brokers)
        bare = _bare_seconds(brokers, count)
        seen: list[tuple[float, int]] = []
        stream = Stream(
            settings, "r1", utc_now, lambda line: sys.stdout.write(line + "\n") and None
        )

        def look(counts: Counts) -> None:
            seen.append((time.monotonic(), counts.records))

        stream.run(until_caught_up=True, progress=look)
        first = next(index for index, (_, records) in enumerate(seen) if records)
        last = next(index for index, (_, records) in enumerate(seen) if records == count)
        seconds = seen[last][0] - seen[max(first - 1, 0)][0]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = len(message(1))
        sys.stdout.write(
            f"{count:,} messages of {size} bytes, {len(STREAMS)} topics of 4 partitions\n"
            f"landed   {count / seconds:10,.0f} messages/s, peak {peak:,.0f} MiB\n"
            f"consumed {count / bare:10,.0f} messages/s by a bare consumer in the same run\n"
        )
        return check(settings, count)


def _bare_seconds(brokers: str, count: int) -> float:
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "bare", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([f"social-signals.{stream}" for stream in STREAMS])
    got, started = 0, 0.0
    while got < count:
        before = time.monotonic()
        messages = consumer.consume(2_000, 0.5)
        if messages and not started:
            started = before
        got += sum(1 for entry in messages if entry.error() is None)
    seconds = time.monotonic() - started
    consumer.close()
    return seconds


def kills(folder: Path, wanted: int) -> int:
    """Messages come in all the time; the consumer, the loader and the build are killed."""
    chance = random.Random(5)
    sent = done = 0
    with running_cluster() as brokers:
        settings = target(folder, brokers)
        for step, share in SHARES.items():
            for _ in range(round(wanted * share)):
                if step == "stream":
                    produce(brokers, sent, 400)
                    sent += 400
                process = _start(step, settings)
                time.sleep(_moment(step, chance))
                was_running = process.poll() is None
                _kill(process)
                done += was_running
            _finish(step, settings)
        faults = check(settings, sent)
        with duckdb.connect(str(settings.paths.work), read_only=True) as connection:
            rows = connection.execute(
                "select (select count(*) from raw.x_posts) + "
                "(select count(*) from raw.reddit_comments), "
                "(select count(*) from marts.fct_posts)"
            ).fetchall()[0]
    sys.stdout.write(
        f"{done} of {wanted} kills hit a running process; raw rows {rows[0]:,} of {sent:,}, "
        f"fct_posts {rows[1]:,}\n"
    )
    return faults + abs(rows[0] - sent) + abs(rows[1] - sent)


def _moment(step: str, chance: random.Random) -> float:
    return {
        "stream": chance.uniform(1.0, 9.0),
        "load": chance.uniform(0.3, 2.0),
        "build": chance.uniform(2.0, 25.0),
    }[step]


def _command(step: str, settings: Settings) -> list[str]:
    return [sys.executable, "-m", "pipeline", step, "--config", str(settings.file)]


def _start(step: str, settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _command(step, settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _finish(step: str, settings: Settings) -> None:
    options = ["--until-caught-up"] if step == "stream" else []
    subprocess.run([*_command(step, settings), *options], check=False, stdout=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "kills"])
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--kills", type=int, default=50)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="streaming"))
    os.environ["SOCIAL_SIGNALS_DATA"] = str(folder / "data")
    try:
        if arguments.what == "speed":
            return int(speed(folder, arguments.messages) > 0)
        return int(kills(folder, arguments.kills) > 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
