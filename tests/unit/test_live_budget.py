"""The ledger: hard stops, crashes, two processes."""

from __future__ import annotations

import json
import multiprocessing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from extract._budget import Ledger, LedgerError, Limits, read_uses
from extract._clock import Clock
from extract._outcomes import StopError

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PRICES = {"posts": Decimal("0.005"), "users": Decimal("0.010")}


def ledger(
    folder: Path, *, now: datetime = NOW, requests: int = 10, money: str = "0", **units: int
) -> Ledger:
    return Ledger(
        folder,
        source="x",
        limits=Limits(requests, Decimal(money), units),
        prices_usd=PRICES,
        clock=Clock(now=lambda: now),
    )


def test_it_counts_requests_units_and_money(tmp_path: Path) -> None:
    book = ledger(tmp_path, money="10")
    first = book.reserve({"posts": 100, "users": 10})
    assert book.use().money_usd == Decimal("0.6")
    book.settle(first, {"posts": 37})
    use = book.use()
    assert (use.requests, use.units, use.money_usd) == (
        1,
        {"posts": 37, "users": 0},
        Decimal("0.185"),
    )
    book.settle(first, {"posts": 1})  # settled already
    assert book.use().units["posts"] == 37


def test_the_stop_comes_before_the_request_that_would_pass(tmp_path: Path) -> None:
    book = ledger(tmp_path, requests=2)
    book.reserve()
    book.reserve()
    assert not book.allows()
    with pytest.raises(StopError, match="2 requests of 2026-11") as caught:
        book.reserve()
    assert "sources.x.budget.requests" in caught.value.remedy
    assert book.use().requests == 2


def test_no_money_by_default(tmp_path: Path) -> None:
    with pytest.raises(StopError, match=r"may cost \$0.5;") as caught:
        ledger(tmp_path).reserve({"posts": 100})
    assert "sources.x.budget.money_usd" in caught.value.remedy
    assert "sources.x.prices_usd" in caught.value.remedy
    assert read_uses(tmp_path)[0].requests == 0


def test_units_have_limits_of_their_own(tmp_path: Path) -> None:
    book = ledger(tmp_path, money="10", posts=150)
    book.reserve({"posts": 100})
    with pytest.raises(StopError, match="100 of 150"):
        book.reserve({"posts": 100})
    book.reserve({"posts": 50})


def test_each_month_begins_anew(tmp_path: Path) -> None:
    ledger(tmp_path, requests=1).reserve()
    with pytest.raises(StopError):
        ledger(tmp_path, requests=1).reserve()
    ledger(tmp_path, requests=1, now=datetime(2026, 12, 1, tzinfo=UTC)).reserve()
    assert [use.month for use in read_uses(tmp_path)] == ["2026-11", "2026-12"]


def test_a_crash_between_request_and_answer_leaves_the_higher_figure(tmp_path: Path) -> None:
    ledger(tmp_path, money="10").reserve({"posts": 100})  # never settled
    assert ledger(tmp_path, money="10").use().units == {"posts": 100}


def test_a_settlement_counts_in_the_month_of_its_request(tmp_path: Path) -> None:
    now = [NOW]
    book = Ledger(
        tmp_path,
        source="x",
        limits=Limits(9, Decimal(9)),
        prices_usd=PRICES,
        clock=Clock(now=lambda: now[0]),
    )
    held = book.reserve({"posts": 100})
    now[0] = datetime(2026, 12, 1, tzinfo=UTC)
    book.settle(held, {"posts": 1})
    (use,) = read_uses(tmp_path)
    assert (use.month, use.units) == ("2026-11", {"posts": 1})


def test_a_torn_line_is_closed_and_the_rest_counts(tmp_path: Path) -> None:
    ledger(tmp_path).reserve()
    path = next(tmp_path.glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(b'{"id":"ab","requ')
    book = ledger(tmp_path)
    book.reserve()
    assert book.use().requests == 2
    assert ledger(tmp_path).use().requests == 2


def test_a_damaged_ledger_lets_no_request_through(tmp_path: Path) -> None:
    ledger(tmp_path).reserve()
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(b"garbage\n" + path.read_bytes())
    with pytest.raises(LedgerError, match="damaged"):
        ledger(tmp_path).reserve()


def test_a_ledger_that_cannot_be_written_lets_no_request_through(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger(tmp_path / "file").reserve()


def _spend(folder: str, start: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    book = ledger(Path(folder), requests=50)
    for _ in range(40):
        try:
            book.settle(book.reserve())
        except StopError:
            return


def test_two_processes_share_one_limit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Event()
    processes = [context.Process(target=_spend, args=(str(tmp_path), start)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    (use,) = read_uses(tmp_path)
    assert use.requests == 50
    lines = next(tmp_path.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert sum("requests" in json.loads(line) for line in lines) == 50
