"""A stand-in of your shop's API for the tests: answer as the shop does, and no better."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extract import own_shop
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request, json_reply


@dataclass
class OwnShop(Platform):
    """Eight orders of a line each, three of one second, newest change first, four a page."""

    landed = 8
    source: Any = own_shop
    environment: dict[str, str] = field(
        default_factory=lambda: {"SOCIAL_SIGNALS_OWN_SHOP_TOKEN": "very-secret-token"}
    )

    def orders(self) -> list[dict[str, Any]]:
        found = []
        for number, minute in enumerate((5, 7, 9, 9, 9, 30, 60, 400)):
            changed = ago(minutes=minute)
            line = {"id": 1, "sku": "A-1", "title": "Anvil", "quantity": 2, "price": "10.00"}
            order = {"id": 100 - number, "currency": "EUR", "created_at": changed.isoformat()}
            if number == 6 and self.edits:
                changed, line["title"] = START, "Anvil (edited)"
            if self.quirk == "future" and number == 0:
                changed = START + timedelta(days=365 * 50)
            order |= {"updated_at": changed.isoformat(), "lines": [line]}
            if self.quirk == "unknown_fields":
                order["brand_new"] = {"deeply": [number]}
            if self.quirk == "missing_fields" and number == 3:
                del order["id"]
            if self.quirk == "wrong_types" and number == 3:
                order["id"] = {"value": 97}
            found.append(order)
        return sorted(found[self.hidden :], key=lambda order: order["updated_at"], reverse=True)

    def settings(self, **changes: Any) -> own_shop.Settings:  # noqa: ANN401
        base = {"base_url": self.url, "page_size": 4}
        return own_shop.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        assert request.headers["authorization"] == "Bearer very-secret-token"
        assert request.path == "/api/orders", request.path
        if self.quirk == "empty":
            return json_reply([])
        latest = int(request.query.get("updated_to", 10**12))
        found = [order for order in self.orders() if second(order) <= latest]
        shown = found[: int(request.query["limit"])]
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        if self.quirk == "endless":
            shown = self.orders()[:1] * 4
        return json_reply(shown)


def second(order: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(order["updated_at"]).timestamp())
