"""A run that a service manager ends: in order, with a code of its own, and no dbt left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SETTINGS = """
[target]
simulated = true
[sources.simulated]
days = 20
posts_per_product_day = 1
"""


def descendants(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent == pid:
                found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
def test_sigterm_ends_a_build_with_its_dbt(tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    environment = {**os.environ, "SOCIAL_SIGNALS_DATA": str(tmp_path / "data")}
    base = [sys.executable, "-m", "pipeline", "--log", "lines"]
    for step in ("extract", "load"):
        subprocess.run(
            [*base, step, "--config", str(config)], env=environment, check=True, capture_output=True
        )
    process = subprocess.Popen(
        [*base, "build", "--config", str(config)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (children := descendants(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children, "dbt never started"
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "told to stop" in said
    assert "Traceback" not in said
    for child in children:
        assert not Path(f"/proc/{child}").exists()
    again = subprocess.run(
        [*base, "load", "--config", str(config)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
