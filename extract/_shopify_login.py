"""How a shop is entered: a token that stays, or one for a day by the client-credentials grant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from extract._outcomes import Answer, FixError, RetryError, parse_json
from extract.base import Context, Json

if TYPE_CHECKING:
    from extract._http import Http

HEADER = "x-shopify-access-token"
REDACTED = "***"
_MARGIN_S = 300.0
"""A token is renewed this long before it ends, so that none ends on its way."""
_SHORTEST_S = 60.0


@dataclass(slots=True)
class Login:
    """The credentials of one shop. `variables` are the environment variables they came from."""

    variables: tuple[str, ...]
    token: str = ""
    client_id: str = ""
    client_secret: str = ""
    _http: Http | None = None
    _url: str = ""
    _ends_at: float | None = field(default=None)

    @property
    def secrets(self) -> list[str]:
        return [secret for secret in (self.token, self.client_secret) if secret]

    def connect(self, http: Http, url: str) -> None:
        """Where a token is asked for when there is none."""
        self._http, self._url = http, url

    def headers(self) -> dict[str, str]:
        """The header that opens the shop, with a token that is still valid.

        Raises:
            ExtractError: no token is given.
        """
        if self.client_id:
            self._renew()
        return {HEADER: self.token}

    def _renew(self) -> None:
        http = self._http
        assert http is not None
        if self._ends_at is not None and http.clock.monotonic() < self._ends_at:
            return
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        answer = http.send(
            "POST",
            f"{self._url}/admin/oauth/access_token",
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
            },
            body=urlencode(form).encode(),
            parse=_parse,
        )
        http.settle(answer)
        content: Json = answer.content
        # The shop may give the same token again, which then arrives redacted.
        if content["access_token"] != REDACTED:
            self.token = content["access_token"]
            http.keep_secret(self.token)
        lasts = content.get("expires_in")
        lasts_s = 3_600.0
        if isinstance(lasts, int | float) and not isinstance(lasts, bool):
            lasts_s = float(lasts)
        self._ends_at = http.clock.monotonic() + max(_SHORTEST_S, lasts_s - _MARGIN_S)


def _parse(answer: Answer) -> Json:
    content = parse_json(answer)
    token = content.get("access_token") if isinstance(content, dict) else None
    if not isinstance(token, str) or not token:
        raise RetryError(
            "shopify: the answer to the request for a token holds none.",
            "Run again; if it stays, check sources.shopify.base_url.",
        )
    return {**content, "access_token": token}


def login_of(context: Context, names: tuple[str, str, str], *, source: str) -> Login:
    """The credentials in the environment; `names` are the variables of the token, the client's id
    and its secret.

    Raises:
        FixError: neither a token nor both parts of a client are set.
    """
    token, client_id, secret = (context.environment.get(name, "").strip() for name in names)
    if token:
        return Login((names[0],), token=token)
    if client_id and secret:
        return Login(names[1:], client_id=client_id, client_secret=secret)
    wanted = f"{names[0]} is not set"
    if client_id or secret:
        missing = names[2] if client_id else names[1]
        wanted = f"{missing} is not set (nor is {names[0]})"
    raise FixError(
        f"{source}: {wanted}.",
        f"Put it, or {names[1]} and {names[2]}, into the environment or .env; docs/sources.md says "
        "where to get them.",
        is_credential=True,
    )
