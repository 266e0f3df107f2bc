"""The template of docs/own_extractor.md passes the contract suite, as a copy of it would."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import extract
from tests.contract.live import suite, test_suite

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "own_source"


def load(name: str, file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, with the template where a user copies it to."""
    names = ("extract.own_shop", "tests.contract.live.platforms.own_shop")
    module = load(names[0], "own_shop.py")
    monkeypatch.setattr(extract, "own_shop", module, raising=False)
    yield load(names[1], "stand_in.py").OwnShop
    for name in names:
        sys.modules.pop(name, None)


def checks(test: Any) -> list[Any]:
    """The checks that a parametrised test of the suite runs."""
    return next(mark.args[1] for mark in test.pytestmark if mark.name == "parametrize")


@pytest.mark.parametrize(
    "check",
    [*checks(test_suite.test_weather), *checks(test_suite.test_paging)],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
def test_the_template_passes(make: Any, check: Any) -> None:
    check(make)


@pytest.mark.parametrize("kind", checks(test_suite.test_rate_limits))
def test_it_waits_for_limits(make: Any, kind: str) -> None:
    suite.check_rate_limit(make, kind)


@pytest.mark.parametrize("kind", list(suite.STOPPING))
def test_it_stops(make: Any, kind: str) -> None:
    suite.check_stopping(make, kind)


@pytest.mark.parametrize("kind", list(suite.PASSING))
def test_it_survives(make: Any, kind: str) -> None:
    suite.check_passing(make, kind)


@pytest.mark.parametrize("quirk", ["duplicated", "reordered"])
def test_pages_out_of_order(make: Any, quirk: str) -> None:
    suite.check_quirk_lands_the_same(make, quirk)


@pytest.mark.parametrize("quirk", ["missing_fields", "wrong_types"])
def test_damaged_records(make: Any, quirk: str) -> None:
    suite.check_damaged_records(make, quirk)


def test_its_budget(make: Any, tmp_path: Path) -> None:
    suite.check_budget(make, tmp_path / "a")
    suite.check_budget_under_faults(make, tmp_path / "b")
    suite.check_endless_rate_limit(make, tmp_path / "c")


def test_the_whole_world_lands(make: Any) -> None:
    expected, _ = suite.undisturbed(make)
    assert len(expected.landed) == make.landed


def test_it_can_be_asked_whether_it_would_work(make: Any) -> None:
    platform = make()
    with suite.on(platform) as server:
        assert platform.source.CREDENTIALS == ("SOCIAL_SIGNALS_OWN_SHOP_TOKEN",)
        probe = platform.source.probe(platform.settings(), platform.context())
        assert (probe.is_reachable, probe.is_authorised) == (True, True)
        assert len(server.requests) == 1


def test_the_template_is_short() -> None:
    lines = (FOLDER / "own_shop.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("from", "import"))]
    assert len(code) <= 45
