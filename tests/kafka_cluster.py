"""librdkafka's mock cluster in a process of its own, and a TCP proxy that takes it away.

    python -m tests.kafka_cluster        prints its brokers, ends when standard input closes

The proxy stands before every broker. Brokers tell clients where they are, so their answers are
rewritten on the way: an address of 127.0.0.1 and a port takes as many bytes as another.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"


def main() -> None:
    from confluent_kafka import Producer

    cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 2, "log_level": 0})
    brokers = cluster.list_topics(timeout=30).brokers.values()
    sys.stdout.write(",".join(f"{broker.host}:{broker.port}" for broker in brokers) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


@contextlib.contextmanager
def running_cluster() -> Iterator[str]:
    """A cluster for the length of the block; yields its `host:port,…`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.kafka_cluster"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)


@dataclass
class Proxy:
    """Stands before the brokers; `cut` drops every connection and refuses new ones."""

    brokers: list[tuple[str, int]]
    _listeners: list[socket.socket] = field(default_factory=list)
    _connections: set[socket.socket] = field(default_factory=set)
    _is_cut: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    cuts: int = 0

    @property
    def address(self) -> str:
        return ",".join(f"{HOST}:{entry.getsockname()[1]}" for entry in self._listeners)

    def start(self) -> None:
        for _ in self.brokers:
            self._listeners.append(socket.create_server((HOST, 0)))
        for listener, broker in zip(self._listeners, self.brokers, strict=True):
            threading.Thread(target=self._accept, args=(listener, broker), daemon=True).start()

    def stop(self) -> None:
        self.cut()
        for listener in self._listeners:
            listener.close()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            self.cuts += 1
            gone, self._connections = self._connections, set()
        for connection in gone:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def _accept(self, listener: socket.socket, broker: tuple[str, int]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    client.close()
                    continue
                server = socket.create_connection(broker)
                self._connections |= {client, server}
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)
        _end(server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        """Answers are framed by their length, so that an address is never cut in two."""
        with contextlib.suppress(OSError):
            while (head := _exactly(server, 4)) is not None:
                body = _exactly(server, struct.unpack(">i", head)[0])
                if body is None:
                    break
                client.sendall(head + self._rewritten(body))
        _end(client)

    def _rewritten(self, body: bytes) -> bytes:
        for listener, (host, port) in zip(self._listeners, self.brokers, strict=True):
            ours = listener.getsockname()[1]
            body = body.replace(
                host.encode() + struct.pack(">i", port), HOST.encode() + struct.pack(">i", ours)
            )
        return body


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(brokers: str) -> Iterator[Proxy]:
    """A proxy before the brokers for the length of the block."""
    pairs = [entry.rpartition(":") for entry in brokers.split(",")]
    proxy = Proxy([(host, int(port)) for host, _, port in pairs])
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


if __name__ == "__main__":
    main()
