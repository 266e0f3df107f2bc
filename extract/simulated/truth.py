"""What was planted, as one JSON file beside the data.

`{"version": 1, "source": "simulated", seed, start_date, days, business_timezone, shop, "products":
[{product_id, scenario, kind, direction, lag_days, uplift_ratio, weights, confounder, is_sold,
daily: {date, mood, expected_units, units, posts, is_promotion, is_stock_out}}]}`.

`direction` is `social_leads`, `sales_lead` or `none`; `lag_days` and `uplift_ratio` are null where
nothing of the kind was planted; `confounder` names what moves mood and sales at once without a
link. `units` are units ordered, test orders left out and later refunds not taken off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from extract.base import ExtractError, Json
from extract.simulated.calendar import Clock
from extract.simulated.settings import Settings
from extract.simulated.world import World, effect_weights

VERSION = 1


def describe(
    *, settings: Settings, worlds: Sequence[World], clock: Clock, days: int, timezone: str
) -> Json:
    """The truth about all products for day 0 .. days - 1."""
    dates = [clock.date(day).isoformat() for day in range(days)]
    return {
        "version": VERSION,
        "source": "simulated",
        "seed": settings.seed,
        "start_date": settings.start_date.isoformat(),
        "days": days,
        "business_timezone": timezone,
        "shop": settings.shop,
        "products": [_product(world, dates) for world in worlds],
    }


def _product(world: World, dates: Sequence[str]) -> Json:
    scenario = world.scenario
    is_link = scenario.kind in ("social_leads", "sales_lead")
    days = range(len(dates))
    return {
        "product_id": world.product_id,
        "scenario": world.scenario_name,
        "kind": scenario.kind,
        "direction": scenario.kind if is_link and world.skus else "none",
        "lag_days": scenario.lag_days if world.skus else None,
        "uplift_ratio": scenario.uplift_ratio if world.skus else None,
        "weights": {str(lag): weight for lag, weight in effect_weights(scenario).items()},
        "confounder": scenario.kind if scenario.kind in ("promotion", "seasonality") else None,
        "is_sold": bool(world.skus),
        "daily": {
            "date": list(dates),
            "mood": [round(value, 6) for value in world.mood],
            "expected_units": [round(value, 4) for value in world.expected_units],
            "units": world.units,
            "posts": world.posts,
            "is_promotion": [world.promotion_on(day) is not None for day in days],
            "is_stock_out": [world.is_out_of_stock(day) for day in days],
        },
    }


def write(path: Path, truth: Json) -> None:
    """Write the file whole or not at all.

    Raises `ExtractError` if the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(truth, file, separators=(",", ":"), ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ExtractError(
            f"The truth of the simulation could not be written to {path}: {error}.",
            "Make room on the disk or make the folder writable.",
        ) from error
