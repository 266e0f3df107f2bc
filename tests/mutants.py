"""Proof that the tests bite: each listed mutation must make its tests fail.

`make mutants` copies the tracked files into a temporary folder, applies one mutation of
`mutants.toml` at a time and runs the tests it names. A mutation that survives is a hole in the
tests; one whose text is no longer found is out of date. Either makes the command exit with 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PASSED, FAILED, NOTHING_COLLECTED = 0, 1, 5


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one file, and the tests that must notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_mutations(file: Path) -> list[Mutation]:
    """The list; texts must differ and every mutation names at least one test."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["mutation"]
    mutations = [Mutation(**{**row, "tests": tuple(row["tests"])}) for row in rows]
    for mutation in mutations:
        assert mutation.old != mutation.new, mutation.name
        assert mutation.tests, mutation.name
    return mutations


def copy_tracked(destination: Path) -> None:
    """Copy what git knows, plus what is new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, destination / name)


def run_tests(folder: Path, tests: tuple[str, ...]) -> int:
    """pytest's exit code for the named tests in a copy of the project."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True
    ).returncode


def main() -> int:
    """Run all mutations, or those whose names are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutations")
    names = set(parser.parse_args().names)
    mutations = read_mutations(REPOSITORY / "tests" / "mutants.toml")
    unknown = names - {mutation.name for mutation in mutations}
    if unknown:
        parser.error(f"there is no mutation {', '.join(sorted(map(repr, unknown)))}")
    holes: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "project"
        copy_tracked(copy)
        for mutation in mutations:
            if names and mutation.name not in names:
                continue
            started = time.monotonic()
            verdict = try_mutation(copy, mutation)
            print(f"{verdict:12s} {mutation.name} ({time.monotonic() - started:.0f} s)", flush=True)
            if verdict != "caught":
                holes.append(mutation.name)
    print(f"not caught: {', '.join(holes)}" if holes else "every mutation was caught")
    return 1 if holes else 0


def try_mutation(copy: Path, mutation: Mutation) -> str:
    """`caught`, `survived`, `out of date` or `not tested`; the copy is as before on return."""
    file = copy / mutation.file
    original = file.read_text(encoding="utf-8") if file.is_file() else ""
    if original.count(mutation.old) != 1:
        return "out of date"
    file.write_text(original.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        code = run_tests(copy, mutation.tests)
    finally:
        file.write_text(original, encoding="utf-8")
    return {PASSED: "survived", FAILED: "caught"}.get(code, "not tested")


if __name__ == "__main__":
    sys.exit(main())
