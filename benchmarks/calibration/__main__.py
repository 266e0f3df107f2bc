"""Calibration of the lead-lag method: measured rates beside their goals.

    python -m benchmarks.calibration [--quick] [--cell NAME ...] [--jobs 2] [--seed 1]
        [--output FOLDER] [--list]

Seeded: neither --jobs nor the choice of cells changes a figure. With --output the table is written
to FOLDER as calibration.csv and calibration.json. The exit code is 1 if a goal is missed beyond its
one-sided 95 % bound. `unclear` means: the figure misses the goal, its bound does not.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import json
import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.calibration.bounds import Measure

FORMATS = ("calibration.csv", "calibration.json")


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen cells, print their measures, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny samples: does it run at all")
    parser.add_argument("--cell", action="append", default=[], help="only these; * is allowed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="folder for calibration.csv and .json")
    parser.add_argument("--list", action="store_true", help="name the cells and stop")
    options = parser.parse_args(arguments)
    # One thread a process: the processes share the cores already.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from benchmarks.calibration.catalogue import all_cells
    from benchmarks.calibration.cells import Size, seeds

    listed, left_out = all_cells(os.environ.get("SOCIAL_SIGNALS_SHARED", ""))
    if options.cell:
        listed = [
            cell
            for cell in listed
            if any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in options.cell)
        ]
        if not listed:
            parser.error("no cell has such a name; --list names them")
    if options.list:
        print("\n".join(cell.name for cell in listed))
        return 0
    size = Size(is_quick=options.quick)
    jobs = []
    for number, cell in enumerate(listed):
        runs = cell.runs(size)
        jobs += [
            (number, run, seed)
            for run, seed in zip(runs, seeds(options.seed, cell.name, len(runs)), strict=True)
        ]
    waiting = [sum(1 for job in jobs if job[0] == number) for number in range(len(listed))]
    results: list[list[Any]] = [[] for _ in listed]
    measures: list[Measure] = []
    begin = time.perf_counter()
    print(HEADER, flush=True)
    for number, result in _run_all(jobs, options.jobs):
        results[number].append(result)
        waiting[number] -= 1
        if waiting[number] == 0:
            ordered = [each for _, each in sorted(results[number], key=lambda pair: pair[0])]
            found = listed[number].measure(listed[number].name, ordered)
            results[number] = []
            measures += found
            for line in found:
                print(text(line), flush=True)
            print(f"-- {time.perf_counter() - begin:.0f} s", flush=True)
    if left_out:
        print(left_out)
    if options.output is not None:
        write(options.output, measures)
    missed = [line for line in measures if line.outcome == "missed"]
    unclear = [line for line in measures if line.outcome == "unclear"]
    kept = [line for line in measures if line.outcome == "holds"]
    print(f"{len(kept)} goals hold, {len(unclear)} unclear, {len(missed)} missed")
    for line in [*missed, *unclear]:
        print(f"  {line.outcome}: {text(line)}")
    return int(bool(missed))


def _call(job: tuple[int, int, Any, Any]) -> tuple[int, tuple[int, Any]]:
    """One task; its place within the cell travels with its result."""
    number, place, run, seed = job
    return number, (place, run(seed))


def _run_all(
    jobs: list[tuple[int, Any, Any]], processes: int
) -> Iterator[tuple[int, tuple[int, Any]]]:
    """Yield (cell, (place, result)) as tasks end."""
    placed = [(number, place, run, seed) for place, (number, run, seed) in enumerate(jobs)]
    if processes <= 1:
        yield from map(_call, placed)
        return
    # Tasks hold closures over their settings: forked children have them already.
    _JOBS[:] = placed
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap(_call_number, range(len(placed)))


_JOBS: list[tuple[int, int, Any, Any]] = []


def _call_number(index: int) -> tuple[int, tuple[int, Any]]:
    return _call(_JOBS[index])


HEADER = (
    f"{'cell':32s} {'measure':42s} {'n':>6s} {'value':>7s} {'low':>7s} {'high':>7s}"
    f" {'goal':>10s} outcome"
)


def text(line: Measure) -> str:
    """One measure as a line of the table."""
    goal = ""
    if line.goal != "none":
        goal = f"{'<=' if line.goal == 'at most' else '>='} {line.goal_value:.3g}"
    values = " ".join(
        f"{'-':>7s}" if math.isnan(value) else f"{value:7.4f}"
        for value in (line.value, line.low, line.high)
    )
    remark = f"  ({line.remark})" if line.remark else ""
    return (
        f"{line.cell:32s} {line.name:42s} {line.n:6d} {values} {goal:>10s} {line.outcome}{remark}"
    )


def write(folder: Path, measures: list[Measure]) -> None:
    """Write the table as CSV and JSON."""
    from benchmarks.calibration.bounds import Measure

    folder.mkdir(parents=True, exist_ok=True)
    names = [each.name for each in fields(Measure)]
    rows = [
        {
            **{name: _plain(getattr(line, name)) for name in names},
            "outcome": line.outcome,
        }
        for line in measures
    ]
    with (folder / FORMATS[0]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*names, "outcome"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / FORMATS[1]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


if __name__ == "__main__":
    raise SystemExit(main())
