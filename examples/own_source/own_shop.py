"""A source of your own: orders of your shop's API. docs/own_extractor.md says what to change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from extract._live import LiveSettings, OwnUrl, Planned, Probe, credential, open_http
from extract._newest_first import pull_newest_first
from extract._outcomes import Answer, Parse
from extract.base import Context, Cursor, ExtractError, Page

NAME = "own_shop"
STREAMS = (("datasets", "sales"),)
IS_SIMULATED = False
CREDENTIALS = ("SOCIAL_SIGNALS_OWN_SHOP_TOKEN",)


class Settings(LiveSettings):
    base_url: OwnUrl = "https://shop.example"
    page_size: int = 100


def pull(settings: Settings, cursor: Cursor, context: Context, *, most: int = 0) -> Iterator[Page]:
    token = credential(context, CREDENTIALS[0], source=NAME)
    url, headers = f"{settings.base_url}/api/orders", {"authorization": f"Bearer {token}"}
    reach = {"allowed": [settings.base_url], "secrets": [token], "credentials": CREDENTIALS}
    with open_http(settings, context, source=NAME, **reach) as http:

        def ask(newest: int | None, parse: Parse) -> Answer:
            query = {"limit": most or settings.page_size, "updated_to": newest}
            asked = {name: value for name, value in query.items() if value is not None}
            return http.get(url, asked, headers=headers, parse=parse)

        read = {"stream": "datasets/sales", "identify": identify, "spread": lines}
        yield from pull_newest_first(settings, cursor, context, http, source=NAME, ask=ask, **read)


def identify(order: dict[str, Any]) -> tuple[str, int]:
    return str(int(order["id"])), int(datetime.fromisoformat(order["updated_at"]).timestamp())


def lines(order: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = {"dataset": NAME, "order_id": str(order["id"]), "currency": order["currency"]}
    for line in order["lines"]:
        line_id = f"{NAME}|{order['id']}|{line['id']}"
        names = {"line_id": line_id, "product_key": line["sku"], "product_name": line["title"]}
        money = {"quantity": line["quantity"], "unit_price": line["price"]}
        yield line_id, whole | names | money | {"sold_at": order["created_at"]}


def plan(settings: Settings, _cursor: Cursor, _context: Context) -> list[Planned]:
    return [Planned("orders", 1, basis=f"a page of {settings.page_size} at least")]


def probe(settings: Settings, context: Context) -> Probe:
    try:
        next(pull(settings, {}, context, most=1), None)
    except ExtractError as error:
        return Probe(is_configured=True, is_authorised=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)
