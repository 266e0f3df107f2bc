"""What consumer and producer share: settings as librdkafka reads them, and its errors in words.

confluent-kafka is the extra `kafka`; nothing else needs it, so it is imported where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from extract._outcomes import FixError, RetryError
from pipeline.settings import KafkaSettings, Settings

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

USERNAME_VARIABLE = "SOCIAL_SIGNALS_KAFKA_USERNAME"
PASSWORD_VARIABLE = "SOCIAL_SIGNALS_KAFKA_PASSWORD"  # noqa: S105 - its name, not its value
CONNECT_SECONDS = 15.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def load_client() -> Any:  # noqa: ANN401 - a module without types
    """The client library.

    Raises:
        FixError: it is not installed.
    """
    try:
        import confluent_kafka
    except ImportError as error:
        raise FixError(
            "Kafka needs the package confluent-kafka.",
            "Install the extra: .venv/bin/python -m pip install -c constraints.txt -e '.[kafka]'",
        ) from error
    return confluent_kafka


def group_of(settings: Settings) -> str:
    """The consumer group: one a target, so that two targets each get every message."""
    return settings.kafka.group or f"social-signals-{settings.name}"


def client_settings(kafka: KafkaSettings) -> dict[str, Any]:
    """Brokers and credentials in librdkafka's words.

    Raises:
        FixError: credentials are missing, or would travel in the open.
    """
    chosen: dict[str, Any] = {
        "bootstrap.servers": kafka.brokers,
        "client.id": "social-signals",
        "security.protocol": kafka.security,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 5_000,
    }
    if kafka.ca_file is not None:
        chosen["ssl.ca.location"] = str(kafka.ca_file)
    if not kafka.security.startswith("sasl"):
        return chosen
    if kafka.security == "sasl_plaintext" and not _is_local(kafka.brokers):
        raise FixError(
            "kafka.security = sasl_plaintext would send the password in the open.",
            "Use sasl_ssl, or brokers on this machine.",
        )
    missing = [name for name in (USERNAME_VARIABLE, PASSWORD_VARIABLE) if not os.environ.get(name)]
    if missing:
        raise FixError(
            f"Kafka: {' and '.join(missing)} not set.", "Put them into the environment or .env."
        )
    return chosen | {
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": os.environ[USERNAME_VARIABLE],
        "sasl.password": os.environ[PASSWORD_VARIABLE],
    }


def _is_local(brokers: str) -> bool:
    hosts = (urlsplit(f"//{broker.strip()}").hostname for broker in brokers.split(","))
    return all(host in _LOOPBACK for host in hosts)


def check_reachable(list_topics: Callable[..., object], kafka: KafkaSettings) -> None:
    """Raises:
    RetryError: no broker answers.
    """
    client = load_client()
    try:
        list_topics(timeout=CONNECT_SECONDS)
    except client.KafkaException as error:
        raise RetryError(
            f"No Kafka broker answers at {kafka.brokers} ({words_of(error.args[0])}).",
            "Start the broker, or change kafka.brokers; docs/stream.md has a local one.",
        ) from error


def words_of(error: KafkaError) -> str:
    """A client error in a few words, without the addresses that its text may hold."""
    return str(error.name()).strip("_").replace("_", " ").lower()
