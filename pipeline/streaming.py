"""From Kafka topics into landing files: each message lands once, whatever is killed in between.

The truth about how far a partition has been read is the cursor in its landing commits, written in
the same instant as the records. The offsets of the consumer group are moved after that, for lag
displays and for whoever looks at the group; they decide nothing: a partition that is assigned goes
on at the cursor. What is read is therefore neither lost nor landed twice, whether the consumer, the
broker or the machine goes down between landing and offset.

A partition has one owner at a time among the processes of this machine: its lock file. The group
alone does not give that: a consumer that slept through its session is replaced before it knows.
The landing folder lies on one machine, and so do all consumers of a target.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from extract._outcomes import FixError, RetryError, SkipError
from extract.base import Record
from extract.kafka_messages import Reading, decode, readings
from extract.registry import declared_streams
from pipeline.kafka_client import (
    check_reachable,
    client_settings,
    group_of,
    load_client,
    words_of,
)
from pipeline.privacy import guard
from pipeline.settings import Settings
from warehouse.commits import writer_mark
from warehouse.landing import LandingWriter
from warehouse.lock import WRITERS_FOLDER, HeldFile, forgetting_gate
from warehouse.tombstones import tombstones_version

POLL_MESSAGES = 2_000
POLL_SECONDS = 0.5
LAG_SECONDS = 2.0
"""How often the brokers' ends of the partitions are looked at."""
METADATA_MS = 10_000
ASSIGN_SECONDS = 60.0
QUIET_SECONDS = 5.0

logger = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(slots=True)
class Counts:
    """What a stream has done."""

    records: int = 0
    rejects: int = 0
    commits: int = 0
    lag: int = 0
    """Messages that the brokers hold and that are not read yet."""


@dataclass(slots=True)
class _Partition:
    """An assigned partition: its lock, its writer, and what waits to be committed."""

    topic: str
    number: int
    reading: Reading
    lock: HeldFile
    writer: LandingWriter | None = None
    next_offset: int | None = None
    records: int = 0
    rejects: int = 0
    forgotten: tuple[int, int] = (0, 0)
    """The version of the list of forgotten records that the writer heeds."""
    end_offset: int | None = None
    last_at: float = float("-inf")

    @property
    def name(self) -> str:
        return f"{self.topic}[{self.number}]"

    @property
    def waiting(self) -> int:
        return self.records + self.rejects

    def begin(self) -> None:
        """Nothing waits."""
        self.records = self.rejects = 0

    def is_at_end(self, now: float) -> bool:
        """Whether everything up to the end that the broker named has been read. The client may say
        where the end is before it hands over the messages that come before it; and where markers of
        transactions stand at the end, the last message is never next to it."""
        if self.end_offset is None or self.writer is None:
            return False
        return (self.next_offset or 0) >= self.end_offset or now - self.last_at > QUIET_SECONDS


@dataclass(slots=True)
class Stream:
    """One consumer of a target's topics. `run` reads until it is told to end."""

    settings: Settings
    run_id: str
    now: Callable[[], datetime]
    say: Say
    monotonic: Callable[[], float] = time.monotonic
    counts: Counts = field(default_factory=Counts)
    _partitions: dict[tuple[str, int], _Partition] = field(default_factory=dict)
    _readings: dict[str, Reading] = field(default_factory=dict)
    _trouble: str = ""
    _fatal: Exception | None = None
    _waiting_since: float = 0.0
    """Since when the oldest message waits that has been read and not landed."""
    _lag_at: float = float("-inf")

    def run(
        self,
        *,
        seconds: float | None = None,
        until_caught_up: bool = False,
        progress: Callable[[Counts], None] = lambda _counts: None,
    ) -> Counts:
        """Land messages for so many seconds, until every partition has been read to its end, or
        for ever. However it ends, what was read is landed or stays with the broker.

        Raises:
            FixError: a setting or credential is wrong.
            RetryError: no broker answers at the start.
            LandingError: the disk is full or cannot be written.
        """
        client = load_client()
        self._readings = readings(
            self.settings.kafka.topic_prefix,
            declared_streams(),
            {
                name: Reading(topic.stream, topic.id_key)
                for name, topic in self.settings.kafka.topics.items()
            },
        )
        consumer = client.Consumer(self._consumer_settings(), logger=logger)
        mark = writer_mark(self.settings.paths.landing)
        try:
            check_reachable(consumer.list_topics, self.settings.kafka)
            mark.acquire()
            consumer.subscribe(
                [_pattern(self._readings)],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._lost,
            )
            try:
                self._loop(consumer, seconds, until_caught_up, progress)
            except (KeyboardInterrupt, SystemExit):
                # Told to end: what was read need not be fetched again.
                self._commit(consumer, is_last=True)
                raise
            self._commit(consumer, is_last=True)
            self._measure_lag(consumer)
        finally:
            self._give_up_all()
            consumer.close()
            mark.release()
        return self.counts

    def _consumer_settings(self) -> dict[str, Any]:
        return client_settings(self.settings.kafka) | {
            "group.id": group_of(self.settings),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": True,
            "session.timeout.ms": int(self.settings.kafka.session_seconds * 1000),
            "heartbeat.interval.ms": int(self.settings.kafka.session_seconds * 200),
            "topic.metadata.refresh.interval.ms": METADATA_MS,
            # Bounded memory whatever the lag: what waits in the client, not in the broker.
            "queued.max.messages.kbytes": 32_768,
            "fetch.message.max.bytes": 4_194_304,
            "error_cb": self._told_of,
        }

    def _loop(
        self,
        consumer: Any,  # noqa: ANN401 - a class without types
        seconds: float | None,
        until_caught_up: bool,
        progress: Callable[[Counts], None],
    ) -> None:
        started = self.monotonic()
        while seconds is None or self.monotonic() - started < seconds:
            if not any(partition.waiting for partition in self._partitions.values()):
                self._waiting_since = self.monotonic()
            for message in consumer.consume(POLL_MESSAGES, POLL_SECONDS):
                self._take(message)
            if self._fatal is not None:
                raise self._fatal
            self._take_over(consumer)
            if self._is_due():
                self._commit(consumer)
            self._look_at_lag(consumer)
            progress(self._so_far())
            if until_caught_up and self._is_caught_up():
                return
            if until_caught_up and not self._partitions and self._waited(started):
                self.say("Kafka: no topic of this target was assigned; nothing is read")
                return

    def _waited(self, started: float) -> bool:
        """Long enough for a group to form; a topic that does not exist yet never comes."""
        return self.monotonic() - started >= ASSIGN_SECONDS

    def _so_far(self) -> Counts:
        """The counts with what is read and not yet landed."""
        partitions = self._partitions.values()
        return replace(
            self.counts,
            records=self.counts.records + sum(partition.records for partition in partitions),
            rejects=self.counts.rejects + sum(partition.rejects for partition in partitions),
        )

    def _is_due(self) -> bool:
        kafka = self.settings.kafka
        waiting = sum(partition.waiting for partition in self._partitions.values())
        is_late = self.monotonic() - self._waiting_since >= kafka.batch_seconds
        return waiting >= kafka.batch_records or (waiting > 0 and is_late)

    def _is_caught_up(self) -> bool:
        partitions = self._partitions.values()
        now = self.monotonic()
        return bool(partitions) and all(partition.is_at_end(now) for partition in partitions)

    def _take(self, message: Any) -> None:  # noqa: ANN401 - a class without types
        client = load_client()
        partition = self._partitions.get((message.topic(), message.partition()))
        error = message.error()
        if error is not None:
            if error.code() == client.KafkaError._PARTITION_EOF:
                if partition is not None:
                    partition.end_offset = message.offset()
            else:
                self._told_of(error)
            return
        if partition is None or partition.writer is None:
            # Of a partition that was taken away: it stays with the broker.
            return
        offset = message.offset()
        if partition.next_offset is not None and offset < partition.next_offset:
            return
        self._land(partition, message)
        partition.next_offset = offset + 1
        partition.last_at = self.monotonic()

    def _land(self, partition: _Partition, message: Any) -> None:  # noqa: ANN401
        assert partition.writer is not None
        source, stream = partition.reading.stream.split("/")
        value = message.value()
        _, millis = message.timestamp()
        sent_at = datetime.fromtimestamp(millis / 1000, UTC) if millis > 0 else self.now()
        try:
            record = self._record(value, partition.reading, sent_at)
        except SkipError as error:
            text = (value or b"").decode("utf-8", "backslashreplace")
            origin = f"{partition.name}@{message.offset()}"
            partition.writer.reject(source, stream, text, error.message, origin=origin)
            partition.rejects += 1
            return
        partition.writer.append(source, stream, record.record_id, record.payload, record.fetched_at)
        partition.records += 1

    def _record(self, value: bytes | None, reading: Reading, sent_at: datetime) -> Record:
        decoded = decode(value, reading, sent_at=sent_at)
        if decoded.is_simulated and not self.settings.target.simulated:
            raise SkipError("a simulated record, and this target is of real data")
        return decoded.record

    def _commit(self, consumer: Any, *, is_last: bool = False) -> None:  # noqa: ANN401
        """Make what waits durable with the cursors, then move the group's offsets."""
        waiting = [p for p in self._partitions.values() if p.waiting and p.writer is not None]
        done = [partition for partition in waiting if self._commit_landing(partition)]
        for partition in waiting:
            if partition.writer is None and not is_last:
                self._read_again(consumer, partition)
        self._move_offsets(consumer, done, is_last=is_last)

    def _commit_landing(self, partition: _Partition) -> bool:
        """Land what waits; false when somebody was forgotten since it was read: then it is dropped,
        with its writer, and to be read once more."""
        assert partition.writer is not None
        landing = self.settings.paths.landing
        with forgetting_gate(landing, is_forgetting=False):
            if tombstones_version(landing) != partition.forgotten:
                partition.writer.close()
                partition.writer = None
                return False
            partition.writer.commit(
                {
                    "topic": partition.topic,
                    "partition": partition.number,
                    "next_offset": partition.next_offset,
                }
            )
        self.counts.records += partition.records
        self.counts.rejects += partition.rejects
        self.counts.commits += 1
        partition.begin()
        return True

    def _read_again(self, consumer: Any, partition: _Partition) -> None:  # noqa: ANN401
        client = load_client()
        self._open(partition)
        offset = self._start_of(consumer, partition)
        consumer.seek(client.TopicPartition(partition.topic, partition.number, offset))

    def _move_offsets(
        self,
        consumer: Any,  # noqa: ANN401 - a class without types
        done: Iterable[_Partition],
        *,
        is_last: bool = False,
    ) -> None:
        client = load_client()
        offsets = [
            client.TopicPartition(partition.topic, partition.number, partition.next_offset)
            for partition in done
            if partition.next_offset is not None
        ]
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=not is_last)
        except client.KafkaException as error:
            # The cursor is what counts: the next commit moves them.
            logger.info("the group's offsets stay behind: %s", words_of(error.args[0]))

    # Partitions come and go -----------------------------------------------------------------------

    def _assigned(self, consumer: Any, assigned: list[Any]) -> None:  # noqa: ANN401
        try:
            for entry in assigned:
                partition = _Partition(
                    entry.topic,
                    entry.partition,
                    self._readings[entry.topic],
                    HeldFile(
                        self.settings.paths.landing
                        / WRITERS_FOLDER
                        / f"{_source_name(entry.topic, entry.partition)}.lock"
                    ),
                )
                self._partitions[entry.topic, entry.partition] = partition
                if self._open(partition):
                    entry.offset = self._start_of(consumer, partition)
            consumer.incremental_assign(assigned)
            waiting = [
                entry
                for entry in assigned
                if self._partitions[entry.topic, entry.partition].writer is None
            ]
            if waiting:
                consumer.pause(waiting)
        except Exception as error:  # noqa: BLE001 - raised again outside of the client's callback
            self._fatal = error

    def _open(self, partition: _Partition) -> bool:
        """Become the partition's owner; false while another process still is."""
        if not partition.lock.acquire():
            return False
        # Before the writer reads the list: an older version only means reading once more.
        partition.forgotten = tombstones_version(self.settings.paths.landing)
        partition.begin()
        partition.writer = LandingWriter(
            self.settings.paths.landing,
            source_name=_source_name(partition.topic, partition.number),
            run_id=self.run_id,
            is_simulated=self.settings.target.simulated,
            clock=self.now,
            is_tidying=False,
            guard=guard,
        )
        cursor = partition.writer.cursor.get("next_offset")
        partition.next_offset = cursor if isinstance(cursor, int) else None
        return True

    def _start_of(self, consumer: Any, partition: _Partition) -> int:  # noqa: ANN401
        """Where to read on: at the cursor, unless the topic no longer is what it was."""
        client = load_client()
        if partition.next_offset is None:
            return int(client.OFFSET_BEGINNING)
        entry = client.TopicPartition(partition.topic, partition.number)
        try:
            low, high = consumer.get_watermark_offsets(entry, timeout=10.0)
        except client.KafkaException:
            return partition.next_offset
        if partition.next_offset > high:
            self.say(
                f"{partition.name} ends at {high:,}, before {partition.next_offset:,} where it was "
                "read to: the topic was made anew. It is read from its beginning; what lands again "
                "unchanged is counted once."
            )
            partition.next_offset = None
            return int(client.OFFSET_BEGINNING)
        if partition.next_offset < low:
            self.say(
                f"{partition.name}: {low - partition.next_offset:,} messages were deleted by the "
                "broker before they were read. Let it keep them longer, or stream more often."
            )
            return int(low)
        return partition.next_offset

    def _take_over(self, consumer: Any) -> None:  # noqa: ANN401 - a class without types
        """Open partitions whose earlier owner has let go of them."""
        client = load_client()
        for partition in self._partitions.values():
            if partition.writer is None and self._open(partition):
                offset = self._start_of(consumer, partition)
                entry = client.TopicPartition(partition.topic, partition.number, offset)
                consumer.seek(entry)
                consumer.resume([entry])

    def _revoked(self, consumer: Any, revoked: list[Any]) -> None:  # noqa: ANN401
        """Land what waits before somebody else goes on."""
        try:
            gone = self._leave(revoked)
            self._move_offsets(consumer, gone, is_last=True)
            consumer.incremental_unassign(revoked)
        except Exception as error:  # noqa: BLE001 - raised again outside of the client's callback
            self._fatal = error

    def _lost(self, consumer: Any, lost: list[Any]) -> None:  # noqa: ANN401
        """The group has gone on without us. The lock says that nobody else has landed anything."""
        try:
            self._leave(lost)
            consumer.incremental_unassign(lost)
        except Exception as error:  # noqa: BLE001 - raised again outside of the client's callback
            self._fatal = error

    def _leave(self, entries: list[Any]) -> list[_Partition]:
        gone = []
        for entry in entries:
            partition = self._partitions.pop((entry.topic, entry.partition), None)
            if partition is None:
                continue
            try:
                if (
                    partition.waiting
                    and partition.writer is not None
                    and self._commit_landing(partition)
                ):
                    gone.append(partition)
            finally:
                _close(partition)
        return gone

    def _give_up_all(self) -> None:
        for partition in self._partitions.values():
            _close(partition)
        self._partitions.clear()

    # What the client tells ------------------------------------------------------------------------

    def _told_of(self, error: Any) -> None:  # noqa: ANN401 - a class without types
        """Passing trouble is said once; what a person must mend ends the stream."""
        client = load_client()
        words = words_of(error)
        kinds = client.KafkaError
        if error.code() in (kinds._AUTHENTICATION, kinds.SASL_AUTHENTICATION_FAILED):
            self._fatal = FixError(
                f"Kafka: the brokers refuse the credentials ({words}).",
                "Check SOCIAL_SIGNALS_KAFKA_USERNAME, SOCIAL_SIGNALS_KAFKA_PASSWORD and "
                "kafka.sasl_mechanism.",
                is_credential=True,
            )
        elif error.code() in _DENIED:
            self._fatal = FixError(
                f"Kafka: {words}.", "Let this user read the topics and the group."
            )
        elif error.fatal():
            self._fatal = RetryError(f"Kafka: {words}.", "Start the stream again.")
        elif words != self._trouble:
            self._trouble = words
            self.say(f"Kafka: {words}; it goes on by itself when this passes")

    def _look_at_lag(self, consumer: Any) -> None:  # noqa: ANN401 - a class without types
        if self.monotonic() - self._lag_at < LAG_SECONDS:
            return
        self._lag_at = self.monotonic()
        self._measure_lag(consumer)

    def _measure_lag(self, consumer: Any) -> None:  # noqa: ANN401 - a class without types
        client = load_client()
        lag = 0
        for partition in self._partitions.values():
            entry = client.TopicPartition(partition.topic, partition.number)
            try:
                low, high = consumer.get_watermark_offsets(entry, cached=True)
            except client.KafkaException:
                continue
            if high >= 0:
                lag += max(0, high - (partition.next_offset or max(low, 0)))
        self.counts.lag = lag
        if lag == 0:
            self._trouble = ""


_DENIED = frozenset({29, 30})
"""Topic and group authorisation failed, in the protocol's numbers."""


def _close(partition: _Partition) -> None:
    if partition.writer is not None:
        partition.writer.close()
        partition.writer = None
    partition.lock.release()


def _pattern(topics: Mapping[str, Reading]) -> str:
    """One expression for all names: topics that are made later are read from then on, and none is
    made by being asked for."""
    return f"^({'|'.join(re.escape(name) for name in sorted(topics))})$"


def _source_name(topic: str, partition: int) -> str:
    """Whose cursor it is in the landing commits: a name made of letters, digits and `_`."""
    plain = re.sub(r"[^a-z0-9]+", "_", topic.lower()).strip("_")
    digest = hashlib.blake2b(topic.encode(), digest_size=4).hexdigest()
    return f"kafka_{plain}_{digest}_{partition}"
