"""What dbt left behind of a build: how each test, model and seed ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warehouse.operations import NodeResult

RESULTS, MANIFEST = "run_results.json", "manifest.json"
KINDS = {"test", "model", "seed"}
LAYERS = {"staging", "intermediate", "marts", "seeds"}
STATUSES = {"pass", "warn", "fail", "error", "skipped", "success"}
OTHER_STATUSES = {"no-op": "skipped", "reused": "skipped"}


def forget_results(dbt_target: Path) -> None:
    """Remove the results of an earlier build, which must not be taken for those of this one."""
    (dbt_target / RESULTS).unlink(missing_ok=True)


def read_results(dbt_target: Path) -> list[NodeResult]:
    """The results of the build that has just ended; none where dbt did not come to write them.

    The messages are left out: they may quote what a test found.
    """
    results = _read(dbt_target / RESULTS).get("results")
    manifest = _read(dbt_target / MANIFEST)
    nodes = manifest.get("nodes")
    nodes = nodes if isinstance(nodes, dict) else {}
    return [
        _result(result, nodes)
        for result in (results if isinstance(results, list) else ())
        if isinstance(result, dict) and not str(result.get("unique_id")).startswith("operation.")
    ]


def _result(result: dict[str, Any], nodes: dict[str, Any]) -> NodeResult:
    node_id = str(result.get("unique_id"))
    node = nodes.get(node_id)
    node = node if isinstance(node, dict) else {}
    kind = node_id.split(".", 1)[0]
    status = str(result.get("status") or "error").lower()
    failures, seconds = result.get("failures"), result.get("execution_time")
    tested = _tested(node) if kind == "test" else None
    return NodeResult(
        node_id=node_id,
        kind=kind if kind in KINDS else "other",
        name=str(node.get("name") or node_id.split(".")[-1]),
        tested_model=tested.split(".", 2)[-1] if tested else None,
        layer=_layer(node, kind, tested),
        status=status if status in STATUSES else OTHER_STATUSES.get(status, "error"),
        failures=int(failures) if isinstance(failures, int) and kind == "test" else None,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def _tested(node: dict[str, Any]) -> str | None:
    """The node that a test is about, where that is one."""
    attached = node.get("attached_node")
    if attached:
        return str(attached)
    read = (node.get("depends_on") or {}).get("nodes") or []
    return str(read[0]) if len(read) == 1 else None


def _layer(node: dict[str, Any], kind: str, tested: str | None) -> str:
    if kind == "seed" or (tested or "").startswith("seed."):
        return "seeds"
    if (tested or "").startswith("source."):
        return "sources"
    # The folder below models/ or tests/.
    folders = str(node.get("original_file_path") or "").replace("\\", "/").split("/")
    layer = folders[1] if len(folders) > 1 else ""
    return layer if layer in LAYERS else "marts" if kind == "test" and layer else "other"


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
