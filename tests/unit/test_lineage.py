"""The lineage site: what it shows, that it keeps to itself, when it is made again."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from pipeline import lineage, running
from pipeline.building import BuildResult
from pipeline.fingerprints import BUILT, write_mark
from pipeline.lineage import BETTER, LineageError, fill, make_site, page_app, without_machine
from pipeline.lineage_contents import (
    comment_above,
    contents,
    functions,
    leading_comment,
    parameters,
)
from pipeline.paths import DBT_PROJECT, PROJECT_ROOT
from pipeline.settings import Settings, load_settings
from udfs import dbt_plugin
from warehouse.schema import open_work

SOURCE = "source.social_signals.x.posts"
HOSTILE = (
    "</script><script>alert(1)</script>\u202e<img src=x onerror=alert(1)> {{1+1}} "
    "![p](http://a.b/c.png) a < b"
)


def node(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "resource_type": kind,
        "unique_id": f"{kind}.social_signals.{name}",
        "name": name,
        "package_name": "social_signals",
        "database": "work",
        "schema": "staging",
        "original_file_path": f"models/{name}.sql",
        "description": "",
        "tags": [],
        "config": {"tags": [], "materialized": "table"},
        "columns": {},
        "depends_on": {"nodes": [], "macros": []},
        "raw_code": "select 1",
    } | more


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    (tmp_path / "own").mkdir()
    (tmp_path / "shop.toml").write_text(f'[target]\ncatalogue = "{tmp_path}/own"\n')
    loaded = load_settings(tmp_path / "shop.toml")
    with open_work(loaded.paths.work) as connection:
        connection.execute("create schema staging; create table staging.told (author_id varchar)")
        connection.execute("create table staging.seeded (product_id varchar)")
    loaded.paths.dbt_target.mkdir(parents=True)
    return loaded


@pytest.fixture
def manifest(settings: Settings) -> dict[str, Any]:
    told = node(
        "model",
        "told",
        description=HOSTILE,
        compiled_path=f"{settings.paths.dbt_target}/told.sql",
        raw_code="select text_key(text) from x",
        compiled_code=f"-- is_empty_text(x)\nselect text_key(t) from '{settings.paths.folder}/a'",
        columns={
            "author_id": {"name": "author_id", "description": "Who.", "tags": ["pii"]},
            "kept": {"name": "kept", "description": "", "tags": []},
        },
        depends_on={"nodes": [SOURCE], "macros": []},
    )
    nodes = [
        told,
        node(
            "model",
            "scored",
            language="python",
            raw_code="from udfs.dbt_sentiment import score_texts\nscore_texts(1)",
            depends_on={"nodes": [told["unique_id"]], "macros": []},
        ),
        node(
            "seed",
            "seeded",
            root_path=str(PROJECT_ROOT),
            original_file_path=str(settings.catalogue_folder / "products.csv"),
        ),
        node("test", "nothing_is_lost", raw_code="-- Every row is\n-- a row.\nselect 1"),
        node("test", "unique_told", test_metadata={"name": "unique", "kwargs": {}}),
    ]
    macro = {"package_name": "social_signals", "original_file_path": "macros/settings.sql"}
    text = (DBT_PROJECT / "macros" / "settings.sql").read_text(encoding="utf-8")
    begin = text.index("{% macro setting(")
    return {
        "metadata": {
            "project_name": "social_signals",
            "generated_at": "2026-11-22T10:11:12Z",
            "send_anonymous_usage_stats": True,
            "env": {"DBT_ENV_CUSTOM_ENV_HOST": "machine-7"},
            "user_id": "somebody",
        },
        "nodes": {entry["unique_id"]: entry for entry in nodes},
        "sources": {SOURCE: node("source", "posts", unique_id=SOURCE, source_name="x")},
        "exposures": {},
        "unit_tests": {
            "unit_test.social_signals.told.it_is_one": node(
                "unit_test",
                "it_is_one",
                given=[{"input": "ref('a')", "rows": [{"x": 1, "y": None}, {"x": 2}]}],
                expect={"rows": "x\n1"},
            )
        },
        "groups": {},
        "docs": {"doc.dbt.__overview__": {"name": "__overview__", "package_name": "dbt"}},
        "macros": {
            "macro.social_signals.setting": macro
            | {
                "name": "setting",
                "unique_id": "macro.social_signals.setting",
                "macro_sql": text[begin : text.index("endmacro %}", begin) + len("endmacro %}")],
            },
            "macro.dbt.run": macro | {"name": "run", "package_name": "dbt", "macro_sql": "x" * 99},
        },
    }


def made(settings: Settings, manifest: dict[str, Any]) -> str:
    (settings.paths.dbt_target / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert make_site(settings)
    return settings.paths.lineage.read_text(encoding="utf-8")


def data_in(page: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and catalog as the browser would parse them."""
    found = re.findall(r"(?:manifest|catalog):JSON\.parse\('((?:[^'\\]|\\.)*)'\)", page)
    assert len(found) == 2
    escape = re.compile(r"\\u003c|\\(.)", re.DOTALL)
    texts = [escape.sub(lambda match: match[1] or "<", text) for text in found]
    return json.loads(texts[0]), json.loads(texts[1])


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.loads: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        self.loads += [value or "" for key, value in attrs if key in {"src", "srcset"}]
        if tag == "link":
            self.loads.append(given.get("href") or "")
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given.get("content") or ""


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_nothing_of_the_machine_stands_in_the_page(
    settings: Settings, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "quite-secret-7")
    manifest["nodes"]["model.social_signals.told"]["description"] = (
        f"See {Path.home()}/notes and quite-secret-7."
    )
    page = made(settings, manifest)
    machine = (settings.paths.data, PROJECT_ROOT, Path.home(), settings.catalogue_folder)
    for word in (*map(str, machine), "quite-secret-7", "machine-7", "somebody"):
        assert word not in page
    shown, _ = data_in(page)
    told = shown["nodes"]["model.social_signals.told"]
    assert told["description"] == "See ~/notes and ***."
    assert told["compiled_code"].endswith("'$SOCIAL_SIGNALS_DATA/shop/a'")
    seed = shown["nodes"]["seed.social_signals.seeded"]
    assert seed["original_file_path"] == "catalogue/products.csv"


def test_hostile_words_stay_words(settings: Settings, manifest: dict[str, Any]) -> None:
    odd = "it's \\ \u2028 \ud83d \\u003c </SCRIPT><script>alert(2)</script>"
    manifest["nodes"]["model.social_signals.told"]["raw_code"] = odd + "\u202e"
    page = made(settings, manifest)
    assert read(page).scripts == read(page_app()).scripts == 1
    shown, _ = data_in(page)
    told = shown["nodes"]["model.social_signals.told"]
    assert told["raw_code"] == odd + "\ufffd", "code is shown as it is; the page escapes it"
    assert not re.search("<[a-z/]", told["description"])
    assert told["description"].endswith(
        "\ufffd‹img src=x onerror=alert(1)> {{1+1}} [p](http://a.b/c.png) a < b"
    )


def test_the_page_may_run_its_own_script_and_load_nothing(
    settings: Settings, manifest: dict[str, Any]
) -> None:
    page = made(settings, manifest)
    reader = read(page)
    rules = dict(rule.split(" ", 1) for rule in reader.policy.split("; "))
    assert rules["default-src"] == "'none'"
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules.keys() & {"connect-src", "frame-src", "object-src"} == set()
    assert {rules["img-src"], rules["font-src"]} == {"data:"}
    assert [load for load in reader.loads if not load.startswith("data:")] == []
    assert page.index("Content-Security-Policy") < page.index("<script")
    assert data_in(page)[0]["metadata"]["send_anonymous_usage_stats"] is False


def test_the_installed_page_takes_every_change() -> None:
    app = page_app()
    assert [old for old, _ in BETTER if old not in app] == []
    assert '"unit_test"' in app.split('resource_types:["model"')[1][:200]
    page = fill(app, "{}", "{}", title="<shop>")
    assert '"unit_test"' not in page.split('resource_types:["model"')[1][:110]
    assert "<title>&lt;shop&gt;</title>" in page
    assert 'xlink:href="{{' not in page


def test_a_page_of_another_kind_is_refused() -> None:
    with pytest.raises(LineageError, match="of a kind that this version") as caught:
        fill("<html><head></head></html>", "{}", "{}", title="x")
    assert "constraints.txt" in str(caught.value.remedy)


def test_what_dbt_does_not_know_is_added(settings: Settings, manifest: dict[str, Any]) -> None:
    shown, columns = data_in(made(settings, manifest))
    nodes = shown["nodes"]
    told, scored = nodes["model.social_signals.told"], nodes["model.social_signals.scored"]
    assert [told["tags"], scored["tags"]] == [["pii"], ["python"]]
    assert nodes["test.social_signals.nothing_is_lost"]["description"] == "Every row is\na row."
    key, score = "function.social_signals.text_key", "function.social_signals.score_texts"
    assert told["depends_on"]["nodes"] == [SOURCE, key], "a function named in a comment is none"
    assert shown["parent_map"]["model.social_signals.told"] == [SOURCE, key]
    assert scored["depends_on"]["nodes"] == ["model.social_signals.told", score]
    (unit_test,) = shown["unit_tests"].values()
    assert unit_test["description"] == (
        "It is one.\n\nGiven `ref('a')`:\n\n    x: 1, y: None\n    x: 2\n\n"
        "Expected:\n\n    x\n    1"
    )
    assert list(shown["macros"]) == ["macro.social_signals.setting"]
    macro = shown["macros"]["macro.social_signals.setting"]
    assert macro["description"].startswith("The value of a setting as text")
    assert [argument["name"] for argument in macro["arguments"]] == ["key", "default"]
    assert macro["arguments"][1]["description"] == "If left out: none"
    assert list(columns["nodes"]) == ["model.social_signals.told", "seed.social_signals.seeded"]
    assert columns["nodes"]["model.social_signals.told"]["columns"]["author_id"]["index"] == 1
    overview = shown["docs"]["doc.social_signals.__overview__"]["block_contents"]
    assert overview.startswith("# Social Signals\n")
    assert "{%" not in overview
    assert "1 raw tables, 2 models, 2 data tests" in overview
    assert "built 2026-11-22 10:11 UTC" in overview


def test_every_function_is_described_and_the_model_card_is_whole() -> None:
    found = {entry["name"]: entry for entry in functions()}
    registered: dict[str, str] = {}

    class Recorder:
        def create_function(
            self, name: str, _function: object, kinds: list[str], result: str, **_: object
        ) -> None:
            registered[name] = f"{name}({', '.join(kinds)}) -> {result}"

    dbt_plugin.register(Recorder())  # type: ignore[arg-type]
    assert len(registered) > 5
    for name, signature in registered.items():
        assert f"Called by SQL. `{signature}`" in found[name]["description"]
    handed = {
        name
        for file in (DBT_PROJECT / "models").rglob("*.py")
        for name in re.findall(r"^from udfs\.\w+ import (\w+)$", file.read_text(), re.MULTILINE)
    }
    assert len(handed) > 10
    assert set(found) == handed | set(registered)
    assert [name for name, entry in found.items() if len(entry["description"]) < 60] == []
    card = (PROJECT_ROOT / "udfs/sentiment/model/MODEL_CARD.md").read_text(encoding="utf-8")
    assert card in found["score_texts"]["description"]


@pytest.mark.parametrize(
    ("macro", "expected"),
    [
        ("{% macro a() %}", []),
        ("{%- macro a(x, z=[1, (2)]) -%}", [("x", ""), ("z", "[1, (2)]")]),
        ("{% test a(model, low=none) %}", [("model", ""), ("low", "none")]),
        ("no macro", []),
    ],
)  # fmt: skip
def test_parameters_of_a_macro(macro: str, expected: list[tuple[str, str]]) -> None:
    assert parameters(macro) == expected


def test_comments_are_found_where_they_belong() -> None:
    text = "{#- Of one. -#}\n{% macro one() %}{% endmacro %}\n\n{% macro two() %}{% endmacro %}"
    assert comment_above(text, "{% macro one() %}{% endmacro %}") == "Of one."
    assert comment_above(text, "{% macro two() %}{% endmacro %}") == ""
    assert comment_above(text, "{% macro gone() %}") == ""
    assert leading_comment("{#- A,\n   b. -#}\nselect 1 -- not this") == "A,\nb."
    assert leading_comment("-- One.\n-- Two.\nselect 1\n-- Three.") == "One.\nTwo."
    assert leading_comment("{%- set a = [\n1] -%}\n{% set b %}\n-- One.\nselect") == "One."
    assert leading_comment("select 1 -- no") == ""


def test_the_page_is_made_again_when_something_changed(
    settings: Settings, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mark(settings.paths.state / BUILT, "first")
    made(settings, manifest)
    assert not make_site(settings)
    settings.paths.lineage.unlink()
    assert make_site(settings)
    write_mark(settings.paths.state / BUILT, "second")
    assert make_site(settings)
    assert not make_site(settings)
    monkeypatch.setattr(lineage, "page_app", lambda: page_app() + "<!-- newer -->")
    assert make_site(settings)
    (settings.paths.state / BUILT).unlink()
    assert [make_site(settings), make_site(settings)] == [True, True], "no finished build"


def test_dbt_is_asked_only_where_its_manifest_is_gone(
    settings: Settings, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    file = settings.paths.dbt_target / "manifest.json"

    def run_dbt(_settings: Settings, arguments: list[str], _meter: object) -> BuildResult:
        asked.append(arguments)
        file.write_text(json.dumps(manifest), encoding="utf-8")
        return BuildResult()

    monkeypatch.setattr(lineage, "run_dbt", run_dbt)
    assert make_site(settings)
    assert make_site(settings)
    assert asked == [["compile"]]
    file.write_text('{"nodes": ', encoding="utf-8")
    assert make_site(settings)
    assert len(asked) == 2, "a manifest that was cut off is none"


def broken(manifest: dict[str, Any]) -> None:
    manifest["nodes"]["model.social_signals.told"]["depends_on"] = None


@pytest.mark.parametrize("steps", [("docs",), ("charts", "docs", "insights")])
def test_a_page_that_cannot_be_made_loses_no_results(
    settings: Settings, manifest: dict[str, Any], steps: tuple[str, ...]
) -> None:
    before = made(settings, manifest)
    broken(manifest)
    (settings.paths.dbt_target / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    run: Any = SimpleNamespace(settings=settings, steps=steps, problems=[])
    said: list[str] = []
    say: Callable[[str], None] = said.append
    if steps == ("docs",):
        with pytest.raises(LineageError, match="cannot be made of what dbt left"):
            running._docs(run, say)
    else:
        running._docs(run, say)
        assert said == ["not made"]
        assert run.problems[0].startswith("the lineage site was not made: ")
        assert running._exit_code(run) == running.EXIT_PARTIAL
    assert settings.paths.lineage.read_text(encoding="utf-8") == before


def test_a_folder_within_another_goes_by_its_own_name() -> None:
    words = [("/a/b/data", "$DATA"), ("/a/b", "$HOME")]
    assert json.loads(without_machine({"x": '"/a/b/data/c" /a/b/d'}, words)) == {
        "x": '"$DATA/c" $HOME/d'
    }


def test_contents_leave_the_manifest_alone(manifest: dict[str, Any]) -> None:
    before = json.dumps(manifest)
    contents(manifest)
    assert json.dumps(manifest) == before


def test_the_columns_are_those_of_the_open_file(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as other:
        other.execute("create schema staging; create table staging.told (strange integer)")
    with duckdb.connect(str(tmp_path / "work.duckdb")) as connection:
        connection.execute("create schema staging; create table staging.told (own integer)")
        connection.execute(f"attach '{tmp_path / 'other.duckdb'}' as other")
        told = node("model", "told")
        found = lineage.catalog(connection, {"nodes": {told["unique_id"]: told}, "sources": {}})
    assert list(found["nodes"][told["unique_id"]]["columns"]) == ["own"]
