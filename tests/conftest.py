"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser import finding

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and recorded bodies, which a user does not have."""
    folder = os.environ.get("SOCIAL_SIGNALS_SHARED", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SOCIAL_SIGNALS_SHARED names no folder")
    return Path(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it in a line of its own when no page was opened in a browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    if any(finding.LEFT_OUT in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(finding.LEFT_OUT, yellow=True)
