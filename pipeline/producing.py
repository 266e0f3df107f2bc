"""From sources into Kafka topics: where `extract --to kafka` puts what it pulled.

A page's records are with the brokers (acknowledged by all replicas in sync) before the source's
cursor moves. A run that is killed in between sends them again: another offset, the same content,
which staging keeps once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from extract._outcomes import RetryError, SkipError
from extract.base import Json, Record
from extract.kafka_messages import encode, topic_of
from pipeline.kafka_client import check_reachable, client_settings, load_client, words_of
from pipeline.settings import KafkaSettings
from warehouse.landing import LandingWriter

FLUSH_SECONDS = 60.0


class KafkaSink:
    """Takes records like a landing writer and sends them; cursors and rejects stay with `landing`.

    Memory stays bounded by the client's queue: a full one waits for the brokers.
    """

    def __init__(self, kafka: KafkaSettings, landing: LandingWriter, *, is_simulated: bool) -> None:
        """Connect.

        Raises:
            FixError: the client is not installed, or credentials are missing.
            RetryError: no broker answers.
        """
        self._kafka = kafka
        self._landing = landing
        self._is_simulated = is_simulated
        self._failed: list[str] = []
        client = load_client()
        self._producer = client.Producer(
            client_settings(kafka)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "zstd",
                "linger.ms": 20,
                "queue.buffering.max.kbytes": 65_536,
            }
        )
        check_reachable(self._producer.list_topics, kafka)

    @property
    def cursor(self) -> dict[str, Any]:
        """The source's cursor as of the last commit."""
        return self._landing.cursor

    def append(
        self, source: str, stream: str, record_id: str, payload: Json, fetched_at: datetime
    ) -> None:
        """Send one record; it counts once `commit` has returned."""
        record = Record(f"{source}/{stream}", record_id, payload, fetched_at)
        try:
            key, value = encode(record, is_simulated=self._is_simulated)
        except SkipError as error:
            self._landing.reject(source, stream, repr(payload), error.message, origin=record_id)
            return
        topic = topic_of(self._kafka.topic_prefix, record.stream)
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
                break
            except BufferError:
                # The queue is full: the brokers set the pace.
                self._producer.poll(0.1)
                self._raise_failures()
        self._producer.poll(0)

    def reject(self, source: str, stream: str, text: str, reason: str, *, origin: str = "") -> None:
        """Keep what could not be read beside the landing files of this machine."""
        self._landing.reject(source, stream, text, reason, origin=origin)

    def commit(self, cursor: Mapping[str, Any] | None = None) -> None:
        """Wait until the brokers have everything, then move the cursor.

        Raises:
            RetryError: some of it was not acknowledged; the cursor stays.
        """
        left = self._producer.flush(FLUSH_SECONDS)
        self._raise_failures()
        if left:
            raise RetryError(
                f"Kafka: {left:,} messages were not acknowledged within {FLUSH_SECONDS:.0f} s.",
                "Check the brokers and run again: the source goes on from its last cursor.",
            )
        self._landing.commit(cursor)

    def close(self) -> None:
        """Drop what was not committed."""
        self._producer.purge()
        self._landing.close()

    def _delivered(self, error: Any, message: Any) -> None:  # noqa: ANN401 - without types
        if error is not None:
            self._failed.append(f"{message.topic()}: {words_of(error)}")

    def _raise_failures(self) -> None:
        if self._failed:
            raise RetryError(
                f"Kafka: {len(self._failed):,} messages were not taken ({self._failed[0]}).",
                "Mend that and run again: the source goes on from its last cursor.",
            )
