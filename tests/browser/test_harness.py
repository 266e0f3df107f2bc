"""The harness itself: what a page must not do is noticed when it does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import finding
from tests.browser.chromium import Visit

pytestmark = pytest.mark.xdist_group("browser-harness")

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<link rel="icon" href="data:,"></head><body><main><h1>Page</h1>{body}</main></body></html>"""


def page(folder: Path, body: str) -> Path:
    file = folder / "page.html"
    file.write_text(PAGE.format(body=body), encoding="utf-8")
    return file


def test_a_page_that_keeps_to_itself_is_quiet(visit: Callable[..., Visit], tmp_path: Path) -> None:
    seen = visit()
    drawn = '<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="><a href="#x">x</a>'
    seen.open(page(tmp_path, drawn)).click("a")
    seen.assert_quiet()
    assert seen.axe() == []


@pytest.mark.parametrize(
    "body",
    [
        '<img alt="" src="https://example.com/pixel.gif">',
        "<script>fetch('https://example.com/').catch(() => 0)</script>",
        "<script>navigator.sendBeacon('https://example.com/', 'x')</script>",
        "<script>new WebSocket('wss://example.com/')</script>",
        "<script>new EventSource('https://example.com/')</script>",
        "<style>body { background: url(https://example.com/x.png) }</style>",
        "<style>@import 'https://example.com/x.css'; p { color: red }</style>",
        '<iframe title="x" src="https://example.com/"></iframe>',
        '<img alt="" src="beside.png">',
        "<script>window.open('https://example.com/')</script>",
        "<script>setTimeout(() => { location.href = 'https://example.com/' })</script>",
    ],
)
def test_a_request_that_leaves_the_page_is_seen(
    visit: Callable[..., Visit], tmp_path: Path, body: str
) -> None:
    seen = visit()
    seen.open(page(tmp_path, body)).wait_for_timeout(150)
    assert seen.outside or len(seen.context.pages) > 1
    with pytest.raises(AssertionError):
        seen.assert_quiet()


@pytest.mark.parametrize(
    "body",
    [
        "<script>console.error('x')</script>",
        "<script>throw new Error('x')</script>",
        "<script>Promise.reject(new Error('x'))</script>",
        "<script>alert(1)</script>",
        "<script>let</script>",
    ],
)
def test_an_error_and_a_dialog_are_seen(
    visit: Callable[..., Visit], tmp_path: Path, body: str
) -> None:
    seen = visit()
    seen.open(page(tmp_path, body)).wait_for_timeout(50)
    with pytest.raises(AssertionError):
        seen.assert_quiet()


def test_axe_finds_what_it_is_for_and_keeps_to_a_strict_policy(
    visit: Callable[..., Visit], tmp_path: Path
) -> None:
    strict = "<meta http-equiv='content-security-policy' content=\"default-src 'none'\">"
    seen = visit()
    seen.open(page(tmp_path, f"{strict}<button></button><img src='data:,'>"))
    assert {line.split(":")[1].strip() for line in seen.axe()} >= {"button-name", "image-alt"}


def test_the_browser_that_was_named_is_the_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own-chromium"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv(finding.NAMED, str(own))
    assert finding.find() == own
    assert finding.is_required()
    monkeypatch.setenv(finding.NAMED, str(tmp_path / "none"))
    assert finding.find() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    for value, required in (("", False), (finding.REQUIRED, True)):
        monkeypatch.setenv(finding.NAMED, value)
        assert finding.find() is None
        assert finding.is_required() is required
    own.rename(tmp_path / "chromium")
    assert finding.find() == tmp_path / "chromium"


@pytest.mark.parametrize(
    ("asked_for", "outcome", "workers"), [("", "skipped", "1"), (finding.REQUIRED, "error", "0")]
)
def test_without_a_browser_the_last_lines_say_so(
    repository: Path, tmp_path: Path, asked_for: str, outcome: str, workers: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider",
         "tests/browser/test_harness.py::test_a_page_that_keeps_to_itself_is_quiet"],
        cwd=repository,
        env=os.environ | {"PATH": str(tmp_path), finding.NAMED: asked_for},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert f"1 {outcome}" in done.stdout
    assert (done.returncode != 0) is bool(asked_for)
    assert (finding.LEFT_OUT in done.stdout.splitlines()) is not bool(asked_for)
    assert finding.MISSING in done.stdout
