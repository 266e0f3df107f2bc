"""What the lineage site shows: dbt's manifest, less what tells of the machine, more what dbt does
not know.

dbt knows no functions of Python, takes no notice of the comment above a macro or in a test, and
writes down where the machine keeps its files. All of it is read from where it stands anyway, so
that nothing is said twice and could differ.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from pipeline.console import CONTROL
from pipeline.paths import DBT_PROJECT, PROJECT_ROOT

Json = dict[str, Any]

PROJECT = "social_signals"
PLUGIN = "udfs/dbt_plugin.py"
MODEL_CARD = "udfs/sentiment/model/MODEL_CARD.md"
OVERVIEW = "docs/overview.md"
FUNCTION_COLOUR = "#b8860b"
PARTS = ("nodes", "sources", "exposures", "unit_tests")

SHOWN = frozenset({
    "access", "alias", "arguments", "block_contents", "column_name", "columns",
    "compiled_code", "config", "constraints", "database", "depends_on", "description", "docs",
    "external", "fqn", "group", "identifier", "label", "language",
    "loader", "macro_sql", "maturity", "meta", "model", "name", "original_file_path", "owner",
    "package_name", "path", "raw_code", "refs", "resource_type", "schema",
    "source_description", "source_name", "tags", "test_metadata", "type", "unique_id", "url",
    "version",
})  # fmt: skip
"""What the page reads of a node. The rest says things twice or tells of the machine."""
CONFIG_SHOWN = frozenset({
    "access", "contract", "group", "incremental_strategy", "loaded_at_field", "materialized",
    "on_schema_change", "severity", "unique_key", "where",
})  # fmt: skip
COLUMN_SHOWN = ("name", "description", "data_type", "constraints", "tags", "meta")
NOT_OF_TESTS = frozenset({"alias", "columns", "database", "group", "meta", "path", "schema"})
CODE = frozenset({"raw_code", "compiled_code", "macro_sql"})

MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
SQL_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
JINJA_COMMENT = re.compile(r"\{#-?(.*?)-?#\}", re.DOTALL)
SIGNATURE = re.compile(r"\{%-?\s*(?:macro|test)\s+\w+\s*\(")


def contents(manifest: Json) -> Json:
    """The manifest as the page gets it: see the module."""
    shown: Json = {
        "metadata": {
            key: manifest["metadata"].get(key)
            for key in ("adapter_type", "dbt_version", "generated_at", "project_name")
        }
        # Where this is true the page loads a tracker.
        | {"send_anonymous_usage_stats": False},
        "docs": {},
        "groups": manifest.get("groups") or {},
    }
    for part in PARTS:
        shown[part] = {key: _node(node) for key, node in manifest[part].items()}
    # The page lists the macros of the project, not those of dbt and its adapter.
    shown["macros"] = {
        key: _macro(macro)
        for key, macro in manifest["macros"].items()
        if macro["package_name"] == PROJECT
    }
    for part in ("metrics", "saved_queries", "semantic_models"):
        shown[part] = {}
    shown["functions"] = {node["unique_id"]: node for node in functions()}
    _link_functions(shown)
    known = {key for part in (*PARTS, "functions") for key in shown[part]}
    shown["parent_map"] = {
        key: [parent for parent in node["depends_on"].get("nodes", ()) if parent in known]
        for part in PARTS
        for key, node in shown[part].items()
        if "depends_on" in node
    }
    shown["docs"][f"doc.{PROJECT}.__overview__"] = _overview(shown)
    cleaned: Json = _without_markup(shown)
    return cleaned


def catalog(connection: duckdb.DuckDBPyConnection, manifest: Json) -> Json:
    """The columns of every built table, in the shape of dbt's catalog."""
    columns: dict[tuple[str, str], Json] = {}
    rows = connection.execute(
        "select schema_name, table_name, column_name, data_type, column_index"
        " from duckdb_columns()"
        " where not internal and database_name = current_database() order by all"
    ).fetchall()
    for schema, table, column, kind, index in rows:
        columns.setdefault((schema, table), {})[column] = {
            "type": kind, "index": index, "name": column, "comment": None,
        }  # fmt: skip
    found: Json = {"metadata": {}, "nodes": {}, "sources": {}, "errors": None}
    for part in ("nodes", "sources"):
        for unique_id, node in manifest[part].items():
            name = node.get("identifier") or node.get("alias") or node["name"]
            of_table = columns.get((node.get("schema"), name))
            if of_table is None or node["resource_type"] not in {"model", "seed", "source"}:
                continue
            about = {"type": "BASE TABLE", "schema": node["schema"], "name": name}
            about |= {"database": node["database"], "comment": None, "owner": None}
            found[part][unique_id] = {
                "metadata": about, "columns": of_table, "stats": {}, "unique_id": unique_id,
            }  # fmt: skip
    return found


def _node(node: Json) -> Json:
    shown = {key: value for key, value in node.items() if key in SHOWN}
    shown["config"] = {
        key: value
        for key, value in (node.get("config") or {}).items()
        if key in CONFIG_SHOWN and value not in (None, [], {})
    }
    shown["tags"] = list(node.get("tags") or (node.get("config") or {}).get("tags") or ())
    if isinstance(node.get("columns"), dict):
        shown["columns"] = {
            name: {key: column[key] for key in COLUMN_SHOWN if column.get(key)}
            for name, column in node["columns"].items()
        }
        if any("pii" in (column.get("tags") or ()) for column in node["columns"].values()):
            shown["tags"].append("pii")
    if node.get("language") == "python":
        shown["tags"].append("python")
    if node["resource_type"] == "test":
        shown = {key: value for key, value in shown.items() if key not in NOT_OF_TESTS}
        if "test_metadata" not in node:
            shown["description"] = node.get("description") or leading_comment(node["raw_code"])
    if node["resource_type"] == "unit_test":
        shown["description"] = _unit_test(node)
    file = str(node.get("original_file_path", ""))
    if Path(file).is_absolute() or file.startswith(".."):
        # The catalogue of another target lies outside of the project.
        shown["original_file_path"] = f"catalogue/{Path(file).name}"
    return shown


def _unit_test(node: Json) -> str:
    """What a unit test says, gives and expects; the page shows nothing of the last two."""
    parts = [node.get("description") or f"{str(node['name']).replace('_', ' ').capitalize()}."]
    for given in node.get("given") or ():
        parts.append(f"Given `{given['input']}`:\n\n{_rows(given.get('rows'))}")
    parts.append(f"Expected:\n\n{_rows((node.get('expect') or {}).get('rows'))}")
    return "\n\n".join(parts)


def _rows(rows: object) -> str:
    """Rows as a block of code, one a line."""
    if isinstance(rows, list):
        lines = [", ".join(f"{key}: {value}" for key, value in row.items()) for row in rows]
    else:
        lines = str(rows or "").strip().splitlines()
    return "\n".join(f"    {line}" for line in lines or ["no row"])


def _macro(macro: Json) -> Json:
    shown = {key: value for key, value in macro.items() if key in SHOWN}
    file = DBT_PROJECT / macro["original_file_path"]
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    shown["description"] = macro.get("description") or comment_above(text, macro["macro_sql"])
    shown["arguments"] = macro.get("arguments") or [
        {"name": name, "type": "", "description": f"If left out: {default}" if default else ""}
        for name, default in parameters(macro["macro_sql"])
    ]
    return shown


def leading_comment(sql: str) -> str:
    """The comment with which a file of SQL begins, as one text; what Jinja sets may stand first."""
    sql = re.sub(r"^(?:\s*\{%.*?%\})+", "", sql, flags=re.DOTALL)
    if jinja := re.match(rf"\s*{JINJA_COMMENT.pattern}", sql, re.DOTALL):
        return inspect.cleandoc(jinja[1]).strip()
    lines = [line.strip() for line in sql.strip().splitlines()]
    ends = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "\n".join(line.removeprefix("--").strip() for line in lines[:ends])


def comment_above(text: str, macro: str) -> str:
    """The comment right above a macro in its file; empty without one."""
    place = text.find(macro.strip())
    before = list(JINJA_COMMENT.finditer(text, 0, max(place, 0)))
    if place < 0 or not before or text[before[-1].end() : place].strip():
        return ""
    return inspect.cleandoc(before[-1][1]).strip()


def parameters(macro: str) -> list[tuple[str, str]]:
    """Names and defaults of a macro's parameters, in order."""
    begin = SIGNATURE.search(macro)
    if begin is None:
        return []
    depth, parts = 1, [""]
    for sign in macro[begin.end() :]:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(sign, 0)
        if depth == 0:
            break
        if sign == "," and depth == 1:
            parts.append("")
        else:
            parts[-1] += sign
    pairs = [part.partition("=") for part in parts if part.strip()]
    return [(name.strip(), default.strip()) for name, _, default in pairs]


def functions(root: Path = PROJECT_ROOT) -> Iterator[Json]:
    """Functions of Python that SQL calls by name, and those to which Python models hand over."""
    text = (root / PLUGIN).read_text(encoding="utf-8")
    signatures = dict(_registered(text))
    for name, code, doc in _defined(text):
        if name in signatures:
            yield _function(name, code, f"`{signatures[name]}`\n\n{doc}", PLUGIN, "SQL")
    wanted: dict[str, set[str]] = {}
    for model in sorted((root / "dbt_project" / "models").rglob("*.py")):
        for file, name in _handed_to(model.read_text(encoding="utf-8")):
            wanted.setdefault(file, set()).add(name)
    card = (root / MODEL_CARD).read_text(encoding="utf-8")
    for file, names in sorted(wanted.items()):
        for name, code, doc in _defined((root / file).read_text(encoding="utf-8")):
            if name in names:
                said = f"{doc}\n\n---\n\n{card}" if name == "score_texts" else doc
                yield _function(name, code, said, file, "Python models")


def _function(name: str, code: str, description: str, file: str, caller: str) -> Json:
    return {
        "resource_type": "function",
        "unique_id": f"function.{PROJECT}.{name}",
        "name": name,
        "label": name,
        "package_name": PROJECT,
        "original_file_path": file,
        "path": file,
        "fqn": [PROJECT, *Path(file).with_suffix("").parts, name],
        "language": "python",
        "raw_code": code,
        "description": f"Called by {caller}. {description}",
        "tags": ["python"],
        "config": {},
        "columns": {},
        "docs": {"show": True, "node_color": FUNCTION_COLOUR},
        "depends_on": {"nodes": [], "macros": []},
        "refs": [],
        "version": None,
        "group": None,
    }


def _defined(text: str) -> Iterator[tuple[str, str, str]]:
    """Top-level functions of a module: name, source, docstring."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            code = ast.get_source_segment(text, node) or ""
            yield node.name, code, ast.get_docstring(node) or ""


def _registered(text: str) -> Iterator[tuple[str, str]]:
    """What the plugin registers: a function's name, and how SQL calls it."""
    words: dict[str, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            for target in node.targets:
                if isinstance(target, ast.Tuple):
                    words |= {
                        ast.unparse(name): str(ast.literal_eval(kind))
                        for name, kind in zip(target.elts, node.value.elts, strict=True)
                        if isinstance(kind, ast.Constant)
                    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_create":
            _, name, _, kinds, result = node.args
            takes = [_kind(kind, words) for kind in getattr(kinds, "elts", ())]
            called = str(ast.literal_eval(name))
            yield called, f"{called}({', '.join(takes)}) -> {_kind(result, words)}"


def _kind(node: ast.expr, words: Json) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return str(words.get(ast.unparse(node), ast.unparse(node)))


def _handed_to(model: str) -> Iterator[tuple[str, str]]:
    """The functions of udfs that a Python model imports, with their files."""
    for node in ast.walk(ast.parse(model)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("udfs."):
            for alias in node.names:
                yield f"{str(node.module).replace('.', '/')}.py", alias.name


def _link_functions(shown: Json) -> None:
    """Let each model depend on the functions that it calls."""
    names = {node["name"]: key for key, node in shown["functions"].items()}
    calls = re.compile(rf"\b({'|'.join(map(re.escape, names))})\s*\(")
    for node in shown["nodes"].values():
        if node["resource_type"] != "model":
            continue
        code = str(node.get("compiled_code") or node.get("raw_code") or "")
        if node.get("language") != "python":
            code = SQL_COMMENT.sub(" ", code)
        called = sorted({names[name] for name in calls.findall(code)})
        node["depends_on"] = {
            **node["depends_on"],
            "nodes": [*node["depends_on"].get("nodes", ()), *called],
        }


def _overview(shown: Json) -> Json:
    """The page on which the site opens, as its file says it now, with what the build holds."""
    text = (DBT_PROJECT / OVERVIEW).read_text(encoding="utf-8")
    body = re.sub(r"\{%-?\s*(?:docs\s+\w+|enddocs)\s*-?%\}", "", text).strip()
    kinds = [node["resource_type"] for node in shown["nodes"].values()]
    counts = (
        (len(shown["sources"]), "raw tables"),
        (kinds.count("model"), "models"),
        (kinds.count("test"), "data tests"),
        (len(shown["unit_tests"]), "unit tests"),
        (len(shown["functions"]), "functions of Python"),
        (len(shown["exposures"]), "charts and files that read them"),
    )
    facts = ", ".join(f"{count:,} {what}" for count, what in counts)
    made = str(shown["metadata"].get("generated_at") or "")[:16].replace("T", " ")
    heading, _, rest = body.partition("\n")
    return {
        "unique_id": f"doc.{PROJECT}.__overview__",
        "name": "__overview__",
        "package_name": PROJECT,
        "resource_type": "doc",
        "block_contents": f"{heading}\n{rest}\n\n---\n\n{facts}; built {made} UTC.\n",
    }


def _without_markup(value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
    """HTML in words made text, and pictures links: the page's search shows descriptions as they
    are, and nothing may be asked for. Signs that turn the direction of writing go everywhere: in
    code they hide what it does."""
    if isinstance(value, dict):
        return {name: _without_markup(entry, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_without_markup(entry, key) for entry in value]
    if not isinstance(value, str):
        return value
    text = CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    if key in CODE:
        return text
    return MARKUP.sub("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", text).replace("![", "[")
