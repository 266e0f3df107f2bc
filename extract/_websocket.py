"""A WebSocket through this project's transport: the same address policy, limits, budget, pace,
redaction and outcomes as `extract._http` gives a request; a connection counts as one.

Frames are made sense of by `websockets`, without its threads: one read brings many messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from urllib.parse import urlencode, urlsplit

import httpcore
from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from extract._addresses import origin_of
from extract._http import REDIRECTS, Http
from extract._outcomes import Answer, FixError, RetryError

READ_BYTES = 65_536
CLOSE_SECONDS = 1.0


class WebSocket:
    """An open connection. Use `connect`; not for use by several threads at once."""

    def __init__(
        self, http: Http, url: str, stream: httpcore.NetworkStream, protocol: ClientProtocol
    ) -> None:
        self._http = http
        self._url = url.partition("?")[0][:200]
        self._stream = stream
        self._protocol = protocol
        self._parts: list[bytes] = []
        self._is_text = True

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def receive(self, timeout_s: float) -> list[tuple[bool, bytes]]:
        """The messages that have come, each as (is it text, its bytes); none in `timeout_s`: [].

        Raises:
            RetryError: the connection has ended, or what comes is no WebSocket.
            FixError: a message is larger than allowed.
        """
        messages = self._messages()
        if messages:
            return messages
        protocol = self._protocol
        if protocol.state is not State.OPEN or protocol.parser_exc is not None:
            raise self._ended()
        try:
            received = self._stream.read(READ_BYTES, timeout_s)
        except httpcore.ReadTimeout:
            return []
        except (httpcore.ReadError, OSError) as error:
            raise RetryError(f"{self._name} broke off ({error}).") from error
        if received:
            protocol.receive_data(received)
        else:
            protocol.receive_eof()
        self._answer_pings()
        return self._messages()

    def close(self) -> None:
        """Say good-bye if there is still somebody, and close the connection."""
        try:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
            for data in self._protocol.data_to_send():
                if data:
                    self._stream.write(data, CLOSE_SECONDS)
        except (httpcore.NetworkError, httpcore.TimeoutException, WebSocketException, OSError):
            pass
        finally:
            self._stream.close()

    @property
    def _name(self) -> str:
        return f"{self._http.source}: the connection to {self._url}"

    def _messages(self) -> list[tuple[bool, bytes]]:
        """Whole messages of the frames that have been parsed."""
        messages: list[tuple[bool, bytes]] = []
        for event in self._protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.TEXT or event.opcode is Opcode.BINARY:
                self._is_text = event.opcode is Opcode.TEXT
                self._parts = []
            elif event.opcode is not Opcode.CONT:
                continue
            if event.fin and not self._parts:
                messages.append((self._is_text, bytes(event.data)))
                continue
            self._parts.append(bytes(event.data))
            if event.fin:
                messages.append((self._is_text, b"".join(self._parts)))
                self._parts = []
        return messages

    def _answer_pings(self) -> None:
        for data in self._protocol.data_to_send():
            if not data:
                continue
            try:
                self._stream.write(data, self._http.patience.read_s)
            except (httpcore.NetworkError, httpcore.TimeoutException, OSError):
                # What has been received counts; the next read finds the connection gone.
                self._protocol.receive_eof()

    def _ended(self) -> RetryError | FixError:
        protocol = self._protocol
        if isinstance(protocol.parser_exc, PayloadTooBig):
            return FixError(
                f"{self._http.source}: a message of {self._url} is refused: it has more than "
                f"{self._http.patience.body_bytes:,} bytes.",
                "Check the address; no stream of this project sends so much at once.",
            )
        said = protocol.close_rcvd
        if said is None:
            if isinstance(protocol.parser_exc, EOFError | None):
                return RetryError(f"{self._name} broke off.")
            return RetryError(f"{self._name} cannot be read ({protocol.parser_exc}).")
        reason = "".join(c if c.isprintable() else " " for c in said.reason)
        told = f"{said.code} {self._http.redact(reason)[:100]}".strip()
        return RetryError(f"{self._name} was closed by the server ({told}).")


def connect(http: Http, url: str, params: Sequence[tuple[str, str | int]]) -> WebSocket:
    """Open a connection, charged to the budget like a request; `url` begins with wss or ws.

    `http.patience.body_bytes` bounds a message.

    Raises:
        LimitedError: a rate limit.
        StopError, FixError, RetryError: as told in `extract._outcomes`; a redirect is refused.
        LedgerError: the budget cannot be written down.
    """
    parts = urlsplit(url)
    is_encrypted = parts.scheme == "wss"
    http_url = ("https" if is_encrypted else "http") + url[len(parts.scheme) :]
    _, host, port = origin_of(http_url)
    patience = http.patience
    reservation = http.charge()
    uri = parse_uri(f"{url}?{urlencode(params)}")
    protocol = ClientProtocol(uri, max_size=patience.body_bytes)
    request = protocol.connect()
    request.headers["User-Agent"] = http.user_agent
    try:
        stream = http.backend.connect_tcp(host, port, patience.connect_s)
    except (httpcore.TimeoutException, httpcore.NetworkError) as error:
        raise _unreached(http, url, error) from error
    try:
        if is_encrypted:
            stream = stream.start_tls(httpcore.default_ssl_context(), host, patience.connect_s)
        protocol.send_request(request)
        response = _handshake(http, stream, protocol, url)
        # The first frames, and a good-bye, may have come with the answer.
        if response is None or response.status_code != 101 or protocol.handshake_exc is not None:
            _refuse(http, response, protocol, url, reservation)
        return WebSocket(http, url, stream, protocol)
    except (httpcore.TimeoutException, httpcore.NetworkError) as error:
        stream.close()
        raise _unreached(http, url, error) from error
    except BaseException:
        stream.close()
        raise


def _handshake(
    http: Http, stream: httpcore.NetworkStream, protocol: ClientProtocol, url: str
) -> Response | None:
    """Exchange the opening; None where no response could be read."""
    for data in protocol.data_to_send():
        stream.write(data, http.patience.read_s)
    deadline = http.clock.monotonic() + http.patience.total_s
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        received = stream.read(READ_BYTES, http.patience.read_s)
        if received:
            protocol.receive_data(received)
        else:
            protocol.receive_eof()
        if http.clock.monotonic() > deadline:
            raise RetryError(f"{http.source}: {url} took longer than {http.patience.total_s:g} s.")
        if not received:
            break
    # The first event is the response; the frames that came with it stay for `receive`.
    first = protocol.events[:1]
    if first and isinstance(first[0], Response):
        del protocol.events[0]
        return first[0]
    return getattr(protocol.handshake_exc, "response", None)


def _refuse(
    http: Http, response: Response | None, protocol: ClientProtocol, url: str, reservation: str
) -> None:
    """Raise what an answer that opens no WebSocket means."""
    short = url.partition("?")[0][:200]
    if response is None:
        reason = protocol.handshake_exc or "it broke off"
        raise RetryError(f"{http.source}: {short} opened no WebSocket ({reason}).")
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    body = http.redact_bytes(bytes(response.body or b""))
    answer = Answer(
        response.status_code, headers, body, short, http.clock.now(), reservation=reservation
    )
    if answer.status in REDIRECTS:
        raise FixError(
            f"{http.source}: {short} redirects elsewhere, which is refused for a stream.",
            "Put the final address into the settings if you trust it.",
        )
    if answer.status != 101:
        http.judge(answer)
    raise RetryError(
        f"{http.source}: {short} answers ({answer.status}) without opening a WebSocket "
        f"({protocol.handshake_exc}).",
        "If it stays, a proxy or login page stands in between: check the address.",
    )


def _unreached(http: Http, url: str, error: Exception) -> RetryError:
    return RetryError(
        f"{http.source}: no answer from {url.partition('?')[0][:200]} "
        f"({type(error).__name__}: {error}).",
        "Check the connection and the address in the settings, and run again.",
    )
