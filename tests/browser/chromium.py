"""Open a file in a Chromium, so that nothing which happens there goes unnoticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

WAIT_MS = 10_000

# Whatever a page asks for, no name resolves: a request that the listeners missed goes nowhere.
_FLAGS = ("--host-resolver-rules=MAP * ~NOTFOUND", "--disable-dev-shm-usage")

_PAINTED = """() => new Promise(
    done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"""


@contextmanager
def started(executable: Path) -> Iterator[Browser]:
    """A browser without a window. Its own sandbox cannot start under root, as in a container."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            chromium_sandbox=os.geteuid() != 0,
            args=list(_FLAGS),
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """One page in a context of its own, and everything that it said and asked for."""

    context: BrowserContext
    page: Page
    file: Path | None = None
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def open(self, file: Path, fragment: str = "") -> Page:
        """Open a file from the disk, as a person who was sent it does."""
        self.file = file.resolve()
        self.page.goto(self.file.as_uri() + (f"#{fragment}" if fragment else ""))
        return self.page

    def press_tab(self) -> None:
        """Press Tab once the page was painted: until then Chromium drops what is typed."""
        self.page.evaluate(_PAINTED)
        self.page.keyboard.press("Tab")

    @property
    def outside(self) -> list[str]:
        """Addresses that the page asked for beside its own file."""
        own = self.file.as_uri() if self.file else ""
        return [
            url
            for url in self.asked
            if url.split("#")[0] != own and not url.startswith(("data:", f"blob:{own}"))
        ]

    def assert_quiet(self) -> None:
        """Nothing but the file was asked for, and nothing went wrong or popped up."""
        assert self.outside == []
        assert self.said == [], [line[:300] for line in self.said]
        assert self.dialogs == []
        assert len(self.context.pages) == 1

    def axe(self, *, without: str | None = None, **options: Any) -> list[str]:
        """What axe-core finds on the page as it stands, however mild, a line a finding.

        `without` is a selector of what it leaves out.
        """
        if not self.page.evaluate("typeof globalThis.axe === 'object'"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate(
            "([context, options]) => axe.run(context, options)",
            [
                {"include": [["html"]], "exclude": [[without]] if without else []},
                {"resultTypes": ["violations"], **options},
            ],
        )
        return [
            f"{rule['impact']}: {rule['id']}: {', '.join(map(str, node['target']))}:"
            f" {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@contextmanager
def visiting(browser: Browser, **settings: Any) -> Iterator[Visit]:
    """A context of its own that is offline, with listeners on it before anything is opened."""
    context = browser.new_context(**settings)
    context.set_default_timeout(WAIT_MS)
    context.set_offline(True)
    page = context.new_page()
    visit = Visit(context, page)

    def request(made: Request) -> None:
        visit.asked.append(made.url)

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            visit.said.append(f"{message.type}: {message.text}")

    context.on("request", request)
    context.on("console", console)
    context.on("weberror", lambda error: visit.said.append(f"error: {error.error}"))
    page.on("websocket", lambda socket: visit.asked.append(socket.url))
    page.on("crash", lambda _: visit.said.append("error: the page crashed"))

    def dialog(shown: Any) -> None:
        visit.dialogs.append(shown.message)
        shown.dismiss()

    context.on("dialog", dialog)
    try:
        yield visit
    finally:
        context.close()
