"""The ledger of insights over repeated looks: claimed, kept, changed, taken back, never lost.

The marts that it reads are written by the test, one look after the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project
from udfs.lead_lag.multiplicity import FIRST_CLAIM_LEVEL, STANDING_DAYS

FIRST_CLAIM = 0.01
LOOKS = [date(2026, 3, 1), date(2026, 3, 8), date(2026, 3, 30), date(2026, 4, 6)]
LEDGER = "marts.mart_insight_ledger"

# One worker runs them all: the fixture takes seconds.
pytestmark = pytest.mark.xdist_group("links_ledger")


@dataclass(frozen=True)
class Found:
    """What one look finds of one pair."""

    verdict: str
    q: float | None = 0.5
    reverse_q: float | None = 0.6
    z: float = 4.0


NOTHING = Found("none")
LEAD = Found("social_leads", q=0.004)
WEAK_LEAD = Found("social_leads", q=0.03)
FOLLOWS = Found("sales_lead", reverse_q=0.002)
WEAK_FOLLOWS = Found("sales_lead", reverse_q=0.03)
UNTESTED = Found("insufficient", q=None, reverse_q=None)
# A card per row, a look per column.
STORIES: dict[str, Sequence[Found]] = {
    "kept": [LEAD, WEAK_LEAD, WEAK_LEAD, LEAD],
    "waits": [WEAK_LEAD, LEAD, LEAD, LEAD],
    "weakens": [LEAD, Found("watchlist", q=0.12), WEAK_LEAD, Found("none", q=0.3)],
    "turns": [
        LEAD,
        Found("sales_lead", q=0.4, reverse_q=0.002),
        Found("feedback", q=0.02, reverse_q=0.001),
        Found("sales_lead", q=0.4, reverse_q=0.03),
    ],
    "follows": [
        Found("sales_lead", reverse_q=0.004),
        Found("none", reverse_q=0.03),
        Found("none", reverse_q=0.15),
        Found("none", reverse_q=0.3),
    ],
    "turns and stays": [LEAD, FOLLOWS, WEAK_FOLLOWS, FOLLOWS],
    "breaks off": [WEAK_LEAD, LEAD, NOTHING, LEAD],
    "not yet tested": [UNTESTED, UNTESTED, LEAD, LEAD],
    "flips": [LEAD, Found("social_leads", q=0.02, z=-4.0), NOTHING, NOTHING],
    "closes": [LEAD, UNTESTED, NOTHING, LEAD],
    "nothing": [NOTHING, Found("watchlist", q=0.1), NOTHING, NOTHING],
}
EXPECTED = {
    "kept": [
        ("claimed", "social_leads"),
        ("claimed", "social_leads"),
        ("confirmed", "social_leads"),
        ("confirmed", "social_leads"),
    ],
    "waits": [
        ("waiting", "watchlist"),
        ("waiting", "watchlist"),
        ("claimed", "social_leads"),
        ("claimed", "social_leads"),
    ],
    "weakens": [
        ("claimed", "social_leads"),
        ("weakening", "watchlist"),
        ("confirmed", "social_leads"),
        ("withdrawn", "none"),
    ],
    # Another claim than the one that stood needs 28 days of its own.
    "turns": [
        ("claimed", "social_leads"),
        ("changed", "watchlist"),
        ("waiting", "watchlist"),
        ("waiting", "watchlist"),
    ],
    "turns and stays": [
        ("claimed", "social_leads"),
        ("changed", "watchlist"),
        ("waiting", "watchlist"),
        ("claimed", "sales_lead"),
    ],
    "breaks off": [
        ("waiting", "watchlist"),
        ("waiting", "watchlist"),
        ("none", "none"),
        ("waiting", "watchlist"),
    ],
    "not yet tested": [
        ("insufficient", "insufficient"),
        ("insufficient", "insufficient"),
        ("claimed", "social_leads"),
        ("claimed", "social_leads"),
    ],
    "follows": [
        ("claimed", "sales_lead"),
        ("claimed", "sales_lead"),
        ("weakening", "watchlist"),
        ("withdrawn", "none"),
    ],
    "flips": [
        ("claimed", "social_leads"),
        ("changed", "watchlist"),
        ("none", "none"),
        ("none", "none"),
    ],
    "closes": [
        ("claimed", "social_leads"),
        ("withdrawn", "insufficient"),
        ("none", "none"),
        ("waiting", "watchlist"),
    ],
    "nothing": [("none", "none"), ("none", "watchlist"), ("none", "none"), ("none", "none")],
}


def test_the_days_of_standing_are_those_of_the_bench(repository: Path) -> None:
    macros = (repository / "dbt_project/macros/insight_looks.sql").read_text(encoding="utf-8")
    assert f"standing_days() -%}} {STANDING_DAYS} {{%-" in macros
    assert FIRST_CLAIM_LEVEL == FIRST_CLAIM


def write_look(project: TinyProject, day: date, found: Mapping[str, Found]) -> None:
    """Write what the models before the ledger would hold at one look.

    A name with a colon is product and metric of a further pair; without, of a primary pair.
    """
    rows = []
    for name, one in found.items():
        product_id, _, metric = name.partition(":")
        rows.append(
            {
                "product_id": product_id,
                "signal": "sentiment_mean",
                "metric": metric or "units",
                "verdict": one.verdict,
                "reason": "42 of 90 days" if one.q is None else "180 days: every test applies",
                "q_value": one.q,
                "reverse_q_value": one.reverse_q,
                "lag_days": None if one.q is None else 3,
                "reverse_lag_days": None if one.q is None else 5,
                "z_value": one.z,
                "n_days": 180,
                "is_claim": one.verdict in ("social_leads", "sales_lead", "feedback"),
                "is_reverse_lag_confirmed": True,
                "is_primary": not metric,
                "is_simulated": True,
            }
        )
    with duckdb.connect(str(project.database)) as connection:
        connection.execute("create schema if not exists marts")
        connection.execute("create schema if not exists intermediate")
        shape = (
            "product_id varchar, signal varchar, metric varchar, verdict varchar, reason varchar,"
            " q_value double, reverse_q_value double, lag_days integer, reverse_lag_days integer,"
            " z_value double, n_days bigint, is_claim boolean, is_reverse_lag_confirmed boolean,"
            " is_primary boolean, is_simulated boolean"
        )
        connection.execute(f"create or replace table marts.mart_lead_lag ({shape})")
        connection.executemany(
            f"insert into marts.mart_lead_lag values ({', '.join('?' * 15)})",
            [list(row.values()) for row in rows],
        )
        connection.execute(
            "create or replace table intermediate.int_links__decided as"
            " select ?::double as first_claim_level, 0.05::double as claim_level,"
            " 0.2::double as watch_level",
            [FIRST_CLAIM],
        )
        connection.execute(
            "create or replace table intermediate.int_links__data_hashes as"
            " select distinct product_id, unnest([signal, metric]) as series, md5(?) as data_hash"
            " from marts.mart_lead_lag",
            [str(day)],
        )
        connection.execute(
            "create or replace table intermediate.int_insights__look as"
            " select ?::date as look_date, 'revision-1' as model_revision",
            [day],
        )


def stories_at(look: int) -> dict[str, Found]:
    return {name: story[look] for name, story in STORIES.items()}


def run(project: TinyProject, *arguments: str) -> None:
    project.dbt("run", "--select", "mart_insight_ledger", *arguments)


def run_again(project: TinyProject) -> None:
    """Run the compiled model as dbt's delete+insert does, without the seconds that dbt takes."""
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(f"create temp table fresh as {_incremental_sql(project).read_text()}")
        connection.execute(f"delete from {LEDGER} where look_date in (select look_date from fresh)")
        connection.execute(f"insert into {LEDGER} by name select * from fresh")


def _incremental_sql(project: TinyProject) -> Path:
    return project.folder / "incremental.sql"


def ledger(project: TinyProject) -> list[tuple[Any, ...]]:
    return project.query(f"select * from {LEDGER} order by insight_id, look_date")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    """Four looks; the second is built three times, once from data that were wrong."""
    project = tiny_project(tmp_path_factory.mktemp("ledger") / "target")
    write_look(project, LOOKS[0], stories_at(0))
    run(project)
    write_look(project, LOOKS[1], dict.fromkeys(STORIES, Found("none", q=0.9)))
    run(project)
    (compiled,) = project.folder.glob("target/compiled/**/mart_insight_ledger.sql")
    shutil.copy(compiled, _incremental_sql(project))
    for look in (1, 1, 2, 3):
        write_look(project, LOOKS[look], stories_at(look))
        run_again(project)
    return project


@pytest.mark.parametrize("product", list(STORIES))
def test_what_each_look_did_to_a_card(told: TinyProject, product: str) -> None:
    rows = told.query(
        f"select look_date, look_number, status, card_verdict from {LEDGER}"
        " where product_id = ? order by look_date",
        [product],
    )
    assert [row[:2] for row in rows] == [(day, number + 1) for number, day in enumerate(LOOKS)]
    assert [row[2:] for row in rows] == EXPECTED[product]


def test_the_claim_keeps_its_first_day_and_says_why(told: TinyProject) -> None:
    def told_of(product: str, look: int) -> tuple[Any, ...]:
        (row,) = told.query(
            f"select claimed_verdict, first_claimed_date, reason from {LEDGER}"
            " where product_id = ? and look_date = ?",
            [product, LOOKS[look]],
        )
        return row

    assert told_of("kept", 2) == (
        "social_leads",
        LOOKS[0],
        "first claimed on 2026-03-01, q = .03 now",
    )
    assert told_of("kept", 0)[2] == "q = .004 at the first look; a first claim needs .01 or less"
    waits = ", unbroken for {} days; a first claim needs .01 or less and 28 days"
    assert told_of("waits", 0) == (None, None, "q = .03" + waits.format(0))
    assert told_of("waits", 1) == (None, None, "q = .004" + waits.format(7))
    assert told_of("waits", 2)[2] == (
        "q = .004, unbroken for 29 days; a first claim needs .01 or less"
    )
    assert told_of("waits", 3)[1] == LOOKS[2]
    assert told_of("weakens", 1) == (
        "social_leads",
        LOOKS[0],
        "social leads claimed on 2026-03-01, q = .12 now",
    )
    assert told_of("weakens", 3)[0] is None
    assert "q = .30 now" in told_of("weakens", 3)[2]
    assert told_of("turns", 1)[:2] == (None, None)
    assert "today sales lead" in told_of("turns", 1)[2]
    assert told_of("turns and stays", 3)[:2] == ("sales_lead", LOOKS[3])
    assert "in the opposite direction" in told_of("flips", 1)[2]
    assert "can no longer be tested: 42 of 90 days" in told_of("closes", 1)[2]


def test_a_ledger_with_rebuilds_is_the_ledger_without(told: TinyProject, tmp_path: Path) -> None:
    once = tiny_project(tmp_path / "target")
    with duckdb.connect(str(once.database)) as connection:
        # The shape of the table; its rows are told anew.
        connection.execute(f"attach '{told.database}' as told (read_only)")
        connection.execute("create schema marts")
        connection.execute(f"create table {LEDGER} as from told.{LEDGER} limit 0")
    shutil.copy(_incremental_sql(told), _incremental_sql(once))
    for look, day in enumerate(LOOKS):
        write_look(once, day, stories_at(look))
        run_again(once)
    assert ledger(once) == ledger(told)


def test_neither_a_full_refresh_nor_a_deleted_work_file_loses_a_look(told: TinyProject) -> None:
    before = ledger(told)
    run(told, "--full-refresh")
    assert ledger(told) == before
    published = told.database.with_name("published.duckdb")
    with duckdb.connect(str(published)) as connection:
        connection.execute(f"attach '{told.database}' as work (read_only)")
        connection.execute("create schema marts")
        connection.execute(f"create table {LEDGER} as from work.{LEDGER}")
    with duckdb.connect(str(told.database)) as connection:
        connection.execute(f"drop table {LEDGER}")
    run(told)
    assert ledger(told) == before


def test_five_further_cards_a_product_standing_claims_first(
    told: TinyProject, tmp_path: Path
) -> None:
    later = tiny_project(tmp_path / "target")
    for source, copy in (
        (told.database, later.database),
        (_incremental_sql(told), _incremental_sql(later)),
    ):
        shutil.copy(source, copy)
    watched = {f"rich:metric_{n}": Found("watchlist", q=0.06 + n / 100) for n in range(7)}
    pairs = {"rich": NOTHING, **watched, "rich:claim": LEAD, "rich:quiet": NOTHING}
    write_look(later, LOOKS[-1] + timedelta(days=7), pairs)
    run_again(later)
    cards = later.query(
        f"select metric from {LEDGER} where product_id = 'rich' order by is_primary desc, q_value"
    )
    assert [metric for (metric,) in cards] == [
        "units",
        "claim",
        "metric_0",
        "metric_1",
        "metric_2",
        "metric_3",
    ]
