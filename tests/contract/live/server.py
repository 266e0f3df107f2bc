"""A local server on a real socket, whose answers a test decides, and a clock that nobody waits
for."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.frames import Close, Frame, Opcode
from websockets.utils import accept_key

from extract._clock import Clock

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class FakeClock:
    """Time that moves when somebody sleeps, and a little with every look at it."""

    wall: datetime = START
    ticks: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        assert len(self.slept) < 10_000, "it sleeps for ever"
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds

    def clock(self) -> Clock:
        return Clock(now=self.now, monotonic=self.monotonic, sleep=self.sleep, jitter=lambda: 0.5)


@dataclass(frozen=True)
class Request:
    """What arrived; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to send. `manner` is how: plain, gzip, torn (half of a gzip stream), short (less than
    announced), reset, slow (the clock runs on half-way), endless (a body of zeros).

    Status 101 opens a WebSocket; `body` are its frames. One that ends with a close frame is closed,
    another stays open until the client leaves; torn and short break off in a frame, slow stalls in
    one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    manner: str = "plain"

    def but(self, **changes: Any) -> Reply:
        return replace(self, **changes)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def json_reply(content: Any, status: int = 200, **headers: str) -> Reply:
    sent = {"content-type": "application/json", **headers}
    return Reply(status, json.dumps(content, ensure_ascii=False).encode(), sent)


def frame_of(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, data, fin=fin).serialize(mask=False)


Responder = Callable[[Request], Reply]


class LocalServer:
    """Serves on 127.0.0.1 until closed. `requests` are those that arrived, in order."""

    def __init__(self, respond: Responder, time: FakeClock) -> None:
        self.requests: list[Request] = []
        self.respond = respond
        self.time = time
        self.errors: list[BaseException] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                server.serve(self)

            def do_POST(self) -> None:
                server.serve(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # The default polls twice a second, which every closing would wait for.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        parts = urlsplit(handler.path)
        request = Request(
            handler.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(length) if length else b"",
        )
        self.requests.append(request)
        try:
            reply = self.respond(request)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.errors.append(error)
            reply = Reply(500, repr(error).encode())
        with contextlib.suppress(OSError):
            self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.manner == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            handler.close_connection = True
            return
        if reply.status == 101:
            self._open_socket(handler, reply)
            return
        body = reply.body
        headers = {"Date": format_datetime(self.time.now(), usegmt=True), **reply.headers}
        if reply.manner in ("gzip", "torn"):
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        length = len(body)
        if reply.manner == "torn":
            body = body[: len(body) // 2]
            length = len(body)
        if reply.manner == "short":
            body = body[: len(body) // 2]
        handler.send_response_only(reply.status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if reply.manner == "endless":
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.close_connection = True
            for _ in range(4_000):
                handler.wfile.write(b" " * 65_536)
            handler.wfile.flush()
            return
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if reply.manner == "slow":
            handler.wfile.write(body[:1])
            handler.wfile.flush()
            self.time.pass_time(500.0)
            body = body[1:]
        handler.wfile.write(body)
        handler.wfile.flush()
        if reply.manner == "short":
            handler.close_connection = True

    def _open_socket(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.close_connection = True
        key = handler.headers.get("sec-websocket-key") or ""
        handler.send_response_only(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", accept_key(key))
        handler.end_headers()
        body = reply.body
        if reply.manner in ("torn", "short"):
            body = body[: len(body) // 2 + 1]
        if reply.manner == "slow":
            body = body[:1]
        if reply.manner == "endless":
            body = b"\x81\x7f" + (1 << 40).to_bytes(8, "big") + b" " * 65_536
        handler.wfile.write(body)
        handler.wfile.flush()
        if reply.manner == "slow":
            self.time.pass_time(500.0)
        is_closed = reply.body.endswith(CLOSING) or reply.manner in ("torn", "short")
        if not is_closed:
            handler.connection.settimeout(20.0)
            while handler.connection.recv(65_536):
                pass


CLOSING = frame_of(Opcode.CLOSE, Close(1001, "going away").serialize())
"""A close frame, as the last thing that a connection brings."""


def text_frame(content: Any) -> bytes:
    """One message: JSON, or text as it is."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return frame_of(Opcode.TEXT, text.encode("utf-8", "surrogatepass"))


@contextlib.contextmanager
def serving(respond: Responder, time: FakeClock | None = None) -> Iterator[LocalServer]:
    server = LocalServer(respond, time or FakeClock())
    try:
        yield server
    finally:
        server.close()
    if server.errors:
        raise server.errors[0]
