"""Settings files: what is accepted, and what the errors say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.settings import SettingsError, load_settings, target_file


def write(folder: Path, text: str, name: str = "shop.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def problem(folder: Path, text: str, name: str = "shop.toml") -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(folder, text, name))
    return str(caught.value)


def test_the_file_name_is_the_target(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, '[target]\ncurrency = "EUR"\n'))
    assert settings.name == "shop"
    assert settings.target.currency == "EUR"
    assert settings.paths.work.parts[-2:] == ("shop", "work.duckdb")


def test_every_problem_is_listed_at_once_with_its_nearest_key(tmp_path: Path) -> None:
    message = problem(
        tmp_path,
        '[target]\nbusines_timezone = "UTC"\ncurrency = "euro"\n[sentimnt]\n'
        "[sources.simulated]\ndayz = 3\n[sources.simulatd]\n",
    )
    assert "target.busines_timezone: unknown key. Did you mean 'business_timezone'?" in message
    assert "target.currency" in message
    assert "[sentimnt]: unknown table. Did you mean 'sentiment'?" in message
    assert "sources.simulated.dayz: unknown key. Did you mean 'days'?" in message
    assert "[sources.simulatd]: unknown source. Did you mean 'simulated'?" in message


def test_an_unknown_time_zone_names_the_nearest(tmp_path: Path) -> None:
    assert "'Europe/London'" in problem(tmp_path, '[target]\nbusiness_timezone="Europe/Londn"\n')


@pytest.mark.parametrize("key", ["api_key", "token", "client_secret", "password"])
def test_secrets_are_refused_without_being_shown(tmp_path: Path, key: str) -> None:
    message = problem(tmp_path, f'[sources.simulated]\n{key} = "hunter2hunter2"\n')
    assert f"sources.simulated.{key}: secrets do not belong in this file" in message
    assert "SOCIAL_SIGNALS_SIMULATED_" in message
    assert "hunter2" not in message


def test_simulated_sources_are_refused_by_a_target_of_real_data(tmp_path: Path) -> None:
    assert "target.simulated = true" in problem(tmp_path, "[sources.simulated]\n")


def test_overrides_are_typed_by_toml_and_bare_words_are_text(tmp_path: Path) -> None:
    file = write(tmp_path, "[target]\nsimulated = true\n[sources.simulated]\n")
    settings = load_settings(
        file, ["sources.simulated.days=30", "target.currency=EUR", "target.closed_weekdays=[6]"]
    )
    assert settings.sources["simulated"].model_dump()["days"] == 30
    assert settings.target.currency == "EUR"
    assert settings.target.closed_weekdays == (6,)


@pytest.mark.parametrize("override", ["days", "=3", "days=3", "a..b=1"])
def test_an_override_that_is_no_assignment_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(SettingsError, match=r"table\.key=value"):
        load_settings(write(tmp_path, ""), [override])


def test_exchange_rates_are_exact(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, '[target]\nexchange_rates = { EUR = "1.085" }\n'))
    assert settings.target.exchange_rates == {"EUR": Decimal("1.085")}


def test_a_cutoff_without_offset_is_refused(tmp_path: Path) -> None:
    assert "cutoff_at" in problem(tmp_path, "[target]\ncutoff_at = 2026-01-01T00:00:00\n")


def test_invalid_toml_names_the_line(tmp_path: Path) -> None:
    assert "line 2" in problem(tmp_path, "[target]\ncurrency = \n")


@pytest.mark.parametrize("name", ["My Shop.toml", "1st.toml", "drop;table.toml"])
def test_a_name_that_cannot_be_a_target_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be a target's name" in problem(tmp_path, "", name)


def test_a_missing_file_and_a_missing_catalogue_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "none.toml")
    assert "target.catalogue" in problem(tmp_path, '[target]\ncatalogue = "no/such/folder"\n')


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'demo'"):
        target_file("dmeo")


def test_the_commented_example_is_valid(repository: Path) -> None:
    settings = load_settings(repository / "targets" / "demo.toml")
    assert settings.target.simulated
    assert settings.sources["simulated"].enabled
