"""A browser a module, a context of its own a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, finding
from tests.browser.chromium import Visit


@pytest.fixture(scope="session")
def executable() -> Path:
    """The Chromium of this machine. Where it is required, its absence is a failure."""
    found = finding.find()
    if found is None and finding.is_required():
        pytest.fail(finding.MISSING)
    if found is None:
        # `make test` works without one and says so in its closing lines; `.ci/run` requires one.
        pytest.skip(finding.LEFT_OUT)
    return found


# Not for the session: playwright's event loop counts as running for as long as the browser stands,
# and would be in the way of tests elsewhere that run a loop of their own.
@pytest.fixture(scope="module")
def browser(executable: Path) -> Iterator[Browser]:
    with chromium.started(executable) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Make a visit with the settings of a context, such as viewport or color_scheme."""
    with ExitStack() as visits:

        def begin(**settings: Any) -> Visit:
            return visits.enter_context(chromium.visiting(browser, **settings))

        yield begin
