"""Pseudonyms: the same author the same, another key another, no key no build."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.privacy import check_key, key_check
from pipeline.settings import PrivacySettings, Settings, SettingsError, load_settings
from udfs.dbt_plugin import pseudonym
from udfs.pseudonyms import KEY_VARIABLE, PseudonymKeyError, pseudonym_of

KEY, OTHER_KEY = "a key of thirty-two characters..", "another key of enough characters"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    file.write_text("[privacy]\npseudonymise_authors = true\n", encoding="utf-8")
    return load_settings(file)


def test_a_pseudonym_depends_on_author_and_key_alone() -> None:
    one = pseudonym_of(KEY.encode(), "x:77")
    assert one == pseudonym_of(KEY.encode(), "x:77")
    assert one.startswith("person_")
    assert len(one) == 31
    others = {
        pseudonym_of(KEY.encode(), "reddit:77"),
        pseudonym_of(KEY.encode(), "x:78"),
        pseudonym_of(OTHER_KEY.encode(), "x:77"),
    }
    assert len(others | {one}) == 4


def test_sql_sees_no_key_and_null_stays_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    found = pseudonym(pa.chunked_array([["x:77", None]])).to_pylist()
    assert found == [pseudonym_of(KEY.encode(), "x:77"), None]


@pytest.mark.parametrize("key", [None, "", "short"])
def test_without_a_usable_key_nothing_is_built(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    if key is not None:
        monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(PseudonymKeyError, match=KEY_VARIABLE) as error:
        check_key(settings)
    assert error.value.exit_code == 2
    assert key is None or not key or key not in error.value.message


def test_another_key_is_refused_until_the_mark_is_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    check_key(settings)
    check_key(settings)
    first = key_check(settings)
    monkeypatch.setenv(KEY_VARIABLE, OTHER_KEY)
    with pytest.raises(PseudonymKeyError, match="not the key") as error:
        check_key(settings)
    (mark,) = settings.paths.state.iterdir()
    assert str(mark) in error.value.remedy
    assert KEY not in mark.read_text()
    mark.unlink()
    check_key(settings)
    assert key_check(settings) != first


def test_authors_keep_their_names_by_default(settings: Settings) -> None:
    plain = settings.model_copy(update={"privacy": PrivacySettings()})
    check_key(plain)
    assert key_check(plain) is None


def test_retention_of_a_source_that_lands_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text("[privacy.retention_days]\nredit = 30\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="reddit"):
        load_settings(file)
