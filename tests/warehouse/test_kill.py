"""kill -9 at any moment, then a plain rerun: the same tables as an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from pipeline.running import EXIT_DONE, EXIT_NOTHING
from tests.tiny_checkpoint import make_tiny_checkpoint

KILLS_PER_STEP = {"extract": 7, "load": 6, "build": 7}
VOLATILE = {
    "check_key",
    "_source_file",
    "source_file",
    "sha256",
    "logical_id",
}
OF_RUNS = {("raw", name) for name in ("runs", "steps", "pulls", "test_results")}
"""What each run notes of itself."""
SETTINGS = """
[target]
simulated = true
cutoff_at = 2026-02-01T00:00:00Z
[sources.simulated]
seed = 11
start_date = 2026-01-05
days = 24
posts_per_product_day = 4
[sentiment]
model_dir = "{model}"
threads = 1
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "SOCIAL_SIGNALS_DATA": str(data)}


def command(step: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "pipeline", step, "--config", str(config)]


def finish(step: str, config: Path, data: Path) -> float:
    """Run a step to its end and return its seconds."""
    started = time.monotonic()
    done = subprocess.run(
        command(step, config), env=environment(data), capture_output=True, text=True, check=False
    )
    assert done.returncode in {EXIT_DONE, EXIT_NOTHING}, done.stderr[-3000:]
    return time.monotonic() - started


def kill_after(step: str, config: Path, data: Path, seconds: float) -> bool:
    """Start a step in a process group of its own and kill all of it; false if it had ended."""
    process = subprocess.Popen(
        command(step, config),
        env=environment(data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def undo(step: str, target: Path) -> None:
    """Give a step that had ended before it could be killed all of its work again."""
    if step == "extract":
        shutil.rmtree(target / "landing")
    elif step == "load":
        (target / "work.duckdb").unlink()
    else:
        (target / "state" / "built.json").unlink()


def contents(work: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table as sorted rows, without what names the run or the instant of loading."""
    tables: dict[str, list[tuple[object, ...]]] = {}
    with duckdb.connect(str(work), read_only=True) as connection:
        names = connection.sql(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE' order by all"
        ).fetchall()
        for schema, name in names:
            if (schema, name) in OF_RUNS or name in {"ops_runs", "ops_freshness"}:
                continue
            columns = [
                row[0]
                for row in connection.sql(f'describe "{schema}"."{name}"').fetchall()
                if row[0] not in VOLATILE
                and not row[0].endswith(("run_id", "fetched_at", "loaded_at"))
            ]
            kept = ", ".join(f'"{column}"' for column in columns)
            rows = connection.sql(f'select {kept} from "{schema}"."{name}"').fetchall()
            tables[f"{schema}.{name}"] = sorted(map(without_last_bits, rows), key=repr)
    return tables


def without_last_bits(row: tuple[object, ...]) -> tuple[object, ...]:
    """Floats to ten digits: sums depend on the order of rows in their last bits."""
    return tuple(
        float(f"{round(cell, 12):.10g}") if isinstance(cell, float) else cell for cell in row
    )


@pytest.mark.xdist_group("kill")
def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    model = make_tiny_checkpoint(tmp_path / "checkpoint")
    config = tmp_path / "killed.toml"
    config.write_text(SETTINGS.format(model=model), encoding="utf-8")
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"

    seconds = {step: finish(step, config, undisturbed) for step in KILLS_PER_STEP}
    chance = random.Random(20)
    killed = 0
    for step, kills in KILLS_PER_STEP.items():
        hits = 0
        for _attempt in range(3 * kills):
            moment = chance.uniform(0.15, 0.8) * seconds[step]
            if kill_after(step, config, disturbed, moment):
                hits += 1
            else:
                undo(step, disturbed / "killed")
            if hits == kills:
                break
        killed += hits
        finish(step, config, disturbed)
    assert killed == sum(KILLS_PER_STEP.values()), "too few kills hit a running step"

    expected = contents(undisturbed / "killed" / "work.duckdb")
    found = contents(disturbed / "killed" / "work.duckdb")
    assert len(expected) > 30
    assert expected["raw.x_posts"], "the undisturbed run is empty"
    assert set(found) == set(expected)
    assert [name for name, rows in expected.items() if found[name] != rows] == []
