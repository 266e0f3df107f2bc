"""A week of hourly runs, with faults, missed hours and a forget in its middle, ends in the same
marts as one run over the same records at its end."""

from __future__ import annotations

import html
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from extract import hackernews
from extract.base import ExtractError
from extract.personal import Targets
from pipeline import running
from pipeline.forgetting import Asked
from pipeline.settings import Settings, load_settings
from tests.contract.live.platforms import HackerNews
from tests.contract.live.server import START, FakeClock, Reply, Request, json_reply, serving
from tests.tiny_checkpoint import make_tiny_checkpoint
from warehouse.landing import LandingWriter

HOURS = 7 * 24
DAYS_BEFORE = 3
FORGOTTEN = 40_000_050
VOLATILE = ("run_id", "fetched_at", "loaded_at", "_key")
WORDS = ("is fine", "broke again", "works for us", "got slower", "beats the others")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("kill")]


@dataclass
class Week(HackerNews):
    """Algolia and Firebase of one week: an item can be found from the hour it was published, and
    after five hours its text is another."""

    size: int = 50
    created: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(3)
        span = (HOURS + 24 * DAYS_BEFORE) * 60
        first = START - timedelta(days=DAYS_BEFORE)
        minutes = sorted(chance.sample(range(span), 160))
        self.created = [first + timedelta(minutes=minute) for minute in minutes]

    def items(self) -> list[dict[str, Any]]:
        shown = []
        for number, created in enumerate(self.created):
            if created > self.time.now():
                continue
            is_old = self.time.now() - created > timedelta(hours=5)
            text = f"acme {WORDS[number % 5]}, {number}"
            if is_old and number % 7 == 0:
                text += " (edited)"
            shown.append(
                {
                    "objectID": str(40_000_000 + number),
                    "created_at_i": int(created.timestamp()),
                    "author": f"user{number % 23}",
                    "_tags": ["comment", f"author_user{number % 23}"],
                    "points": None,
                    "comment_text": f"<p>{html.escape(text)}",
                }
            )
        return shown[::-1]

    def answer(self, request: Request) -> Reply:
        if not request.path.startswith("/v0/item/"):
            return super().answer(request)
        number = int(request.path.removeprefix("/v0/item/").removesuffix(".json"))
        created = self.created[number - 40_000_000]
        item: dict[str, Any] = {"id": number, "type": "comment", "time": int(created.timestamp())}
        if number % 11 == 0:
            return json_reply(item | {"deleted": True})
        return json_reply(item | {"by": f"user{number % 23}", "text": "read later", "kids": []})

    def settings(self, **changes: Any) -> Any:
        base = {"refresh_after_hours": 24, "first_days": 30, "overlap_hours": 24, "pace_s": 0.0}
        return super().settings(**(base | changes))


def make_target(folder: Path, platform: Week, model: Path) -> Settings:
    folder.mkdir()
    catalogue = folder / "catalogue"
    catalogue.mkdir()
    (catalogue / "products.csv").write_text(
        "product_id,product_name,brand,category,url\nacme,Acme,Acme,tools,\n", encoding="utf-8"
    )
    (catalogue / "terms.csv").write_text(
        "product_id,term,kind\nacme,acme,keyword\nacme,SKU-1,sku\n", encoding="utf-8"
    )
    (folder / "sales").mkdir()
    mapping = folder / "sheet.yml"
    mapping.write_text(
        "dataset: sheet\nkind: sales\nsource: invented\nlicence: CC0\nfiles: sales\n"
        'date_formats: "%Y-%m-%d"\nproduct: {column: sku}\n'
        "columns: {order_id: order, quantity: units, unit_price: price, sold_at: day,\n"
        "  currency: {constant: USD}}\n",
        encoding="utf-8",
    )
    file = folder / "shop.toml"
    file.write_text(
        f'[target]\ncatalogue = "{catalogue}"\nexpects = ["posts", "sales"]\n'
        f"cutoff_at = {(START + timedelta(hours=HOURS)).isoformat()}\n"
        f'[sentiment]\nmodel_dir = "{model}"\nthreads = 1\n'
        f'[sources.datasets]\nfolder = "{folder}"\nmappings = ["{mapping}"]\n',
        encoding="utf-8",
    )
    settings = load_settings(file)
    sources = {"hackernews": platform.settings(), **settings.sources}
    return settings.model_copy(update={"sources": sources})


def write_sales(folder: Path, day: int) -> None:
    """The sheet of a day, written when it is over."""
    date = (START - timedelta(days=DAYS_BEFORE) + timedelta(days=day)).date()
    rows = [f"{date},SKU-1,{2 + (day * 5 + n) % 7},{9 + n}.50,o{day}-{n}" for n in range(6)]
    (folder / "sales" / f"{date}.csv").write_text(
        "day,sku,units,price,order\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )


def run(settings: Settings, platform: Week, *steps: str, **options: Any) -> int:
    time = platform.time
    return running.run_steps(settings, *steps, now=time.now, clock=time.clock(), **options)


def forget(settings: Settings, platform: Week) -> None:
    targets = Targets()
    targets.posts.add(f"hackernews:{FORGOTTEN}")
    asked = Asked(targets, "asked", "--post", keep_out=False, is_built=False)
    assert run(settings, platform, "forget", "load", asked=asked) == 0


def fail_everything(_request: Request) -> Reply:
    return Reply(503, b"no")


def hourly(settings: Settings, platform: Week, server: Any, folder: Path) -> dict[str, int]:
    """Every hour a run, except when the machine is off; some meet faults, some are killed."""
    chance = random.Random(9)
    seen = dict.fromkeys(("run", "missed", "failed", "killed"), 0)
    for day in range(DAYS_BEFORE):
        write_sales(folder, day)
    for hour in range(HOURS):
        platform.time.wall = START + timedelta(hours=hour)
        if hour % 24 == 1:
            write_sales(folder, DAYS_BEFORE + hour // 24)
        is_off = 60 <= hour < 75 or chance.random() < 0.1
        if is_off:
            seen["missed"] += 1
            continue
        fate = chance.random()
        if fate < 0.1:
            server.respond = fail_everything
            with suppress(ExtractError):
                run(settings, platform, "extract", "load")
            server.respond = platform.answer
            seen["failed"] += 1
        elif fate < 0.2:
            with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
                _interrupt(patch, chance)
                run(settings, platform, "extract", "load")
            seen["killed"] += 1
        else:
            run(settings, platform, "extract", "load")
            seen["run"] += 1
        if hour == 80:
            run(settings, platform, "build")
        if hour == 90:
            forget(settings, platform)
    return seen


def _interrupt(patch: pytest.MonkeyPatch, chance: random.Random) -> None:
    """End the run before or after a commit, or in the load."""

    def stopped(*_arguments: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    commit = LandingWriter.commit

    def committed_and_stopped(writer: LandingWriter, cursor: Any = None) -> Any:
        commit(writer, cursor)
        raise KeyboardInterrupt

    where = chance.choice(["before", "after", "load"])
    if where == "load":
        patch.setattr(running, "load", stopped)
    else:
        patch.setattr(
            LandingWriter, "commit", stopped if where == "before" else committed_and_stopped
        )


def marts(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Every dim, fact, bridge and mart, without what names the run or the instant of loading. The
    ledger is left out: it tells how often one has looked, which is what differs."""
    tables: dict[str, list[tuple[object, ...]]] = {}
    with duckdb.connect(str(settings.paths.work), read_only=True) as connection:
        names = connection.sql(
            "select table_name from information_schema.tables where table_schema = 'marts'"
            " and not starts_with(table_name, 'ops_') and table_name != 'mart_insight_ledger'"
            " order by all"
        ).fetchall()
        for (name,) in names:
            columns = [
                row[0]
                for row in connection.sql(f'describe marts."{name}"').fetchall()
                if not row[0].endswith(VOLATILE)
            ]
            kept = ", ".join(f'"{column}"' for column in columns)
            rows = connection.sql(f'select {kept} from marts."{name}"').fetchall()
            tables[name] = sorted(map(_rounded, rows), key=repr)
    return tables


def _rounded(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(float(f"{cell:.9g}") if isinstance(cell, float) else cell for cell in row)


def test_a_week_of_hourly_runs_ends_like_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_tiny_checkpoint(tmp_path / "checkpoint")
    platform = Week(time=FakeClock())
    assert platform.source is hackernews
    with serving(platform.answer, platform.time) as server:
        platform.url = server.url
        monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "hourly_data"))
        target = make_target(tmp_path / "hourly", platform, model)
        seen = hourly(target, platform, server, tmp_path / "hourly")
        assert min(seen.values()) >= 8, seen
        platform.time.wall = START + timedelta(hours=HOURS)
        assert run(target, platform, "extract", "load", "build") == 0
        found = marts(target)

        monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "once_data"))
        once = make_target(tmp_path / "once", platform, model)
        for day in range(DAYS_BEFORE + 7):
            write_sales(tmp_path / "once", day)
        run(once, platform, "extract", "load")
        forget(once, platform)
        assert run(once, platform, "build") == 0
        expected = marts(once)

    assert len(expected["fct_posts"]) == 159
    assert len(expected["fct_order_lines"]) == 60
    assert set(found) == set(expected)
    assert [name for name, rows in expected.items() if found[name] != rows] == []
