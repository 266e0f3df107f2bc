"""Client libraries built on `requests` (tweepy, praw), with this project's transport inside.

They build requests and know the platforms; timeouts, budget, waiting and retrying are ours, because
theirs are missing (no timeout), real (sleeps that no test can skip) or endless (a 429 without a
reset).
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from extract._http import Http
from extract._outcomes import REMAINING_HEADERS, RESET_HEADERS, Answer, Parse, parse_json

_NOT_PASSED_ON = frozenset(
    {*RESET_HEADERS, *REMAINING_HEADERS, "x-ratelimit-used", "content-encoding", "content-length"}
)
"""Rate limits are kept here; a library that saw them would sleep by itself."""


class Bridge(BaseAdapter):
    """A `requests` adapter over `Http`. `hosts` maps the origins that a library has built in to the
    ones of the settings; `units` is what the next request may be billed, `parse` what makes
    sense of its answer, `answer` the last one."""

    def __init__(self, http: Http, hosts: Mapping[str, str]) -> None:
        super().__init__()
        self.http = http
        self.units: Mapping[str, int] = {}
        self.parse: Parse = parse_json
        self.answer: Answer | None = None
        self._hosts = dict(hosts)

    def send(
        self, request: requests.PreparedRequest, *_args: object, **_kwargs: object
    ) -> requests.Response:
        url = str(request.url)
        for origin, replacement in self._hosts.items():
            if url.startswith(origin):
                url = replacement + url[len(origin) :]
                break
        body = request.body.encode() if isinstance(request.body, str) else request.body
        assert body is None or isinstance(body, bytes), "no library here sends a stream"
        headers = {str(name): str(value) for name, value in request.headers.items()}
        self.answer = self.http.send(
            str(request.method),
            url,
            headers=headers,
            body=body,
            units=self.units,
            parse=self.parse,
        )
        response = requests.Response()
        response.status_code = self.answer.status
        response.headers = CaseInsensitiveDict(
            {k: v for k, v in self.answer.headers.items() if k not in _NOT_PASSED_ON}
        )
        response.raw = io.BytesIO(self.answer.body)
        response.url = url
        response.request = request
        response.encoding = "utf-8"
        return response

    def close(self) -> None:
        """Nothing to close: the transport belongs to the source."""


def bridged_session(bridge: Bridge) -> requests.Session:
    """A session that sends everything through the bridge and reads no proxies or netrc."""
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.mount("https://", bridge)
    session.mount("http://", bridge)
    return session
