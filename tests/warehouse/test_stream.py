"""Kafka topics into landing files: each message once, whatever goes down in between.

The cluster is librdkafka's own mock, in a process of its own, over TCP.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract.base import Record
from extract.kafka_messages import encode
from pipeline import extracting
from pipeline.settings import Settings, load_settings
from pipeline.streaming import Counts, Stream, _source_name
from tests.kafka_cluster import Proxy, proxied, running_cluster
from warehouse.commits import list_landed, read_commits
from warehouse.landing import LandingWriter
from warehouse.lines import FileState, read_objects
from warehouse.lock import WRITERS_FOLDER, HeldFile
from warehouse.tombstones import list_records

confluent_kafka = pytest.importorskip("confluent_kafka")

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("stream")]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with running_cluster() as brokers:
        yield brokers


@pytest.fixture
def settings(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A live target of its own topics: the tests share one cluster."""
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    prefix = f"t{time.time_ns()}."
    file.write_text(
        f'[target]\n[kafka]\nbrokers = "{cluster}"\ntopic_prefix = "{prefix}"\n'
        f'group = "{prefix}"\nsession_seconds = 6\nbatch_records = 40\nbatch_seconds = 0.5\n'
        f'[kafka.topics."{prefix}foreign"]\nstream = "rss/entries"\nid_key = "entry.id"\n'
        "[sources.datasets]\nenabled = false\n",
        encoding="utf-8",
    )
    return load_settings(file)


def message(number: int, **changes: Any) -> bytes:
    payload = {"id": str(number), "text": f"acme number {number}"}
    content = {"fetched_at": "2026-01-05T10:00:00Z", "record_id": str(number), "payload": payload}
    return json.dumps(content | changes).encode()


def produce(
    settings: Settings, values: list[bytes | None], stream: str = "x.posts", partition: int = -1
) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": settings.kafka.brokers})
    for number, value in enumerate(values):
        chosen = number % 4 if partition < 0 else partition
        producer.produce(settings.kafka.topic_prefix + stream, value, partition=chosen)
    assert producer.flush(30) == 0


def stream(settings: Settings, said: list[str] | None = None, **options: Any) -> Counts:
    consumer = Stream(settings, "r1", lambda: AT, (said if said is not None else []).append)
    return consumer.run(**({"until_caught_up": True} | options))


def landed(settings: Settings) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for file in list_landed(settings.paths.landing):
        if file.kind == "records":
            for _, content, _ in read_objects(file.path, FileState()):
                assert content is not None
                found[f"{file.source}/{file.stream}", content["record_id"]] += 1
    return found


def once(numbers: range, name: str = "x/posts") -> Counter[tuple[str, str]]:
    return Counter({(name, str(number)): 1 for number in numbers})


def rejects(settings: Settings) -> list[dict[str, Any]]:
    return [
        content
        for file in list_landed(settings.paths.landing)
        if file.kind == "rejects"
        for _, content, _ in read_objects(file.path, FileState())
        if content is not None
    ]


def test_every_message_lands_once_and_a_second_stream_lands_nothing(settings: Settings) -> None:
    produce(settings, [message(number) for number in range(300)])
    produce(settings, [message(number) for number in range(50)], "reddit.comments")
    counts = stream(settings)
    assert (counts.records, counts.rejects, counts.lag) == (350, 0, 0)
    assert landed(settings) == once(range(300)) + once(range(50), "reddit/comments")
    assert stream(settings).records == 0
    produce(settings, [message(number) for number in range(300, 310)])
    assert stream(settings).records == 10
    assert landed(settings) == once(range(310)) + once(range(50), "reddit/comments")


POISON: dict[str, bytes | None] = {
    "no value": None,
    "is not JSON": b"{'id': 1}",
    "is not UTF-8": b'{"record_id": "\xff\xfe"}',
    "is no JSON object": b"[1, 2]",
    "payload is no JSON object": message(1, payload="text"),
    "record_id is no id": message(1, record_id={"a": 1}),
    "fetched_at is no instant": message(1, fetched_at="yesterday"),
    "fetched_at has no offset": message(1, fetched_at="2026-01-05T10:00:00"),
    "payload is not JSON": message(1, payload={"a": float("nan")}),
    "nested": b'{"payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a simulated record": message(1, is_simulated=True),
    "is_simulated is neither": message(1, is_simulated="yes"),
}


def test_poison_is_kept_with_its_reason_and_stops_nothing(settings: Settings) -> None:
    values: list[bytes | None] = [message(0), *POISON.values(), message(99)]
    produce(settings, values, partition=2)
    counts = stream(settings)
    assert landed(settings) == once(range(1)) + once(range(99, 100))
    found = rejects(settings)
    assert len(found) == len(POISON)
    assert counts.records + counts.rejects >= len(values) - 1
    for content, (reason, value) in zip(found, POISON.items(), strict=True):
        told = content["reason"]
        assert reason in told or reason == "nested", told
        if reason == "is not JSON":
            assert content["text"] == value.decode()  # type: ignore[union-attr]
            assert content["origin"] == f"{settings.kafka.topic_prefix}x.posts[2]@2"
    assert stream(settings).rejects == 0


def test_bare_payloads_of_somebody_elses_topic(settings: Settings) -> None:
    values = [json.dumps({"entry": {"id": f"e{n}"}, "title": "acme"}).encode() for n in range(5)]
    produce(settings, [*values, b'{"entry": {}}'], "foreign")
    counts = stream(settings)
    assert (counts.records, counts.rejects) == (5, 1)
    assert landed(settings) == Counter({("rss/entries", f"e{number}"): 1 for number in range(5)})
    assert rejects(settings)[0]["reason"] == "entry.id is no id"


def test_a_partition_of_another_process_waits_until_it_lets_go(settings: Settings) -> None:
    """As after a rebalance that the earlier owner slept through."""
    produce(settings, [message(number) for number in range(80)])
    landing = settings.paths.landing
    name = _source_name(f"{settings.kafka.topic_prefix}x.posts", 1)
    owner = HeldFile(landing / WRITERS_FOLDER / f"{name}.lock")
    assert owner.acquire()
    seen: list[int] = []
    released: list[int] = []

    def look(counts: Counts) -> None:
        seen.append(counts.records)
        if seen.count(60) == 5 and not released:
            released.append(1)
            # What it had read before it fell asleep lands now, and it lets go.
            with LandingWriter(
                landing, source_name=name, run_id="r0", is_simulated=False, is_tidying=False
            ) as writer:
                for number in range(1, 41, 4):
                    writer.append("x", "posts", str(number), {"id": str(number)}, AT)
                writer.commit({"next_offset": 10})
            owner.release()

    counts = stream(settings, progress=look)
    assert released
    assert counts.records == 70
    assert landed(settings) == once(range(80))


def test_a_topic_made_anew_and_messages_that_are_gone_are_named(settings: Settings) -> None:
    produce(settings, [message(number) for number in range(40)])
    topic = f"{settings.kafka.topic_prefix}x.posts"
    with LandingWriter(
        settings.paths.landing,
        source_name=_source_name(topic, 0),
        run_id="r0",
        is_simulated=False,
    ) as writer:
        writer.commit({"next_offset": 500})
    said: list[str] = []
    stream(settings, said)
    assert landed(settings) == once(range(40))
    assert any("ends at 10, before 500" in line and "made anew" in line for line in said)


def test_who_is_forgotten_meanwhile_does_not_land(settings: Settings) -> None:
    """Read, not yet landed, and then forgotten: the batch is read once more."""
    produce(settings, [message(number) for number in range(20)])
    slow = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"batch_seconds": 2.0})}
    )
    forgotten: list[int] = []

    def look(counts: Counts) -> None:
        if counts.records == 20 and not forgotten:
            forgotten.append(1)
            list_records(settings.paths.landing, [("x", "posts", "7")], reason="t", created_at=AT)

    stream(slow, progress=look, until_caught_up=False, seconds=8.0)
    assert forgotten
    assert landed(settings) == once(range(20)) - once(range(7, 8))
    assert stream(settings).records == 0


def in_background(settings: Settings, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", "--log", "lines", "stream"]
    return subprocess.Popen(
        [*command, "--config", str(settings.file), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ.copy(),
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@pytest.mark.slow
def test_two_consumers_share_partitions_and_one_is_killed(settings: Settings) -> None:
    chance = random.Random(7)
    produce(settings, [message(number) for number in range(400)])
    processes = [in_background(settings), in_background(settings)]
    try:
        wait_until(lambda: sum(landed(settings).values()) == 400)
        produce(settings, [message(number) for number in range(400, 800)])
        time.sleep(chance.uniform(0.05, 0.4))
        processes[0].kill()
        wait_until(lambda: sum(landed(settings).values()) >= 800)
        processes[1].send_signal(signal.SIGTERM)
        said, _ = processes[1].communicate(timeout=30)
        assert processes[1].returncode == 143, said
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert landed(settings) == once(range(800))
    owners = {commit.run_id for commit in read_commits(settings.paths.landing)}
    assert len(owners) == 2, "one of the two never landed anything"


@pytest.mark.slow
def test_kill_at_any_moment_loses_and_repeats_nothing(settings: Settings) -> None:
    chance = random.Random(11)
    sent = 0
    killed = 0
    for _ in range(4):
        produce(settings, [message(number) for number in range(sent, sent + 150)])
        sent += 150
        process = in_background(settings)
        before = len(list_landed(settings.paths.landing)) if sent > 150 else 0
        folder = settings.paths.landing
        wait_until(lambda: folder.exists() and len(list_landed(folder)) > before)  # noqa: B023
        time.sleep(chance.uniform(0.0, 0.3))
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == 4
    stream(settings)
    assert landed(settings) == once(range(sent))


@pytest.mark.slow
def test_brokers_that_go_away_come_back(cluster: str, settings: Settings) -> None:
    with proxied(cluster) as proxy:
        through = settings.model_copy(
            update={"kafka": settings.kafka.model_copy(update={"brokers": proxy.address})}
        )
        produce(through, [message(number) for number in range(200)])
        said: list[str] = []
        switching = threading.Thread(target=_switch, args=(proxy, settings))
        switching.start()
        with pytest.raises(KeyboardInterrupt):
            stream(through, said, until_caught_up=False, seconds=90.0, progress=_end_at_400)
        switching.join()
        assert proxy.cuts >= 2
        assert any("goes on by itself" in line for line in said), said
    assert landed(settings) == once(range(400))


def _end_at_400(counts: Counts) -> None:
    if counts.records >= 400:
        raise KeyboardInterrupt


def _switch(proxy: Proxy, settings: Settings) -> None:
    """Take the brokers away while messages come in, twice."""
    for number in range(2):
        time.sleep(3.0)
        proxy.cut()
        produce(
            settings,
            [message(n) for n in range(200 + 100 * number, 300 + 100 * number)],
        )
        time.sleep(1.5)
        proxy.mend()


def test_extracting_to_kafka_lands_what_extracting_lands(
    cluster: str, settings: Settings, tmp_path: Path
) -> None:
    direct_file, sent_file = tmp_path / "direct.toml", tmp_path / "sent.toml"
    text = (
        '[target]\nsimulated = true\n[kafka]\nbrokers = "{}"\ntopic_prefix = "{}"\n'
        "[sources.simulated]\ndays = 6\nposts_per_product_day = 2\n"
    ).format(cluster, f"d{settings.kafka.topic_prefix}")
    for file in (direct_file, sent_file):
        file.write_text(text, encoding="utf-8")
    direct, sent = load_settings(direct_file), load_settings(sent_file)
    extracting.extract(direct, run_id="r1", now=lambda: AT)
    (pulled,) = extracting.extract(sent, run_id="r1", now=lambda: AT, to_kafka=True)
    assert pulled.error is None
    assert not landed(sent)
    stream(sent)
    expected = landed(direct)
    assert sum(expected.values()) > 500
    assert landed(sent) == expected
    assert {file.is_simulated for file in list_landed(sent.paths.landing)} == {True}
    # The cursor moved with the acknowledgement: nothing is sent twice.
    (again,) = extracting.extract(sent, run_id="r2", now=lambda: AT, to_kafka=True)
    assert again.records == 0
    assert stream(sent).records == 0


def test_a_record_travels_as_it_was_received() -> None:
    record = Record("x/posts", "1", {"text": "\ud83d lone", "n": 10**30, "é": [None, 1.5]}, AT)
    key, value = encode(record, is_simulated=False)
    content = json.loads(value)
    assert key == b"1"
    assert content["payload"] == record.payload
    assert "is_simulated" not in content


def test_no_broker_is_said_with_the_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.kafka_client.CONNECT_SECONDS", 1.0)
    gone = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"brokers": "127.0.0.1:1"})}
    )
    with pytest.raises(Exception, match=r"No Kafka broker answers at 127\.0\.0\.1:1"):
        stream(gone)
