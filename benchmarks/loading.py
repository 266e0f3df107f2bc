"""How fast landing files become raw tables, beside what bare DuckDB statements take.

    python -m benchmarks.loading [--rows 1000000] [--files 8] [--rounds 3] [--folder FOLDER]

All ways read the same landing files of post-like lines and are run in turn, `--rounds` times, each
into a new file. `wall` ends when the file is closed, so that no work is left to a later checkpoint;
`cpu` is the time of all threads, which says more on a machine that others use. Ratios are medians
over the rounds of (rate of the loader / rate of the statement in the same round).

* `bare`: one statement over all files, `insert into … select line from read_csv(one varchar column)
  where json_valid(line)`, with DuckDB's defaults;
* `bare cut`: the same, cut by position into the columns of the raw table, without log, rejects,
  line numbers;
* `bare text`: the lines as they are, nothing parsed, nothing checked;
* `bare tuned`: `bare cut` with the loader's own settings (storage version, zstd column, order of
  insertion not kept).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from warehouse.landing import LandingWriter, land_query
from warehouse.loading import load
from warehouse.schema import STORAGE_VERSION

LINES = """
    read_csv(
        {files}, columns = {{'line': 'varchar'}}, header = false, auto_detect = false,
        delim = '\x01', quote = '', escape = '', compression = 'zstd', max_line_size = 16777216
    )
"""
CUT = """
    substr(line, 58, mark - 58) as record_id,
    substr(line, mark + 12, length(line) - mark - 12) as payload,
    cast(substr(line, 16, 27) as timestamptz) as fetched_at,
    false as is_simulated,
    'x/posts/bare' as source_file,
    0 as line_no,
    'bare' as run_id,
    1 as load_id,
    timestamptz '2026-01-01 00:00:00+00' as loaded_at
"""
COLUMNS = """
    record_id varchar, payload json {compression}, fetched_at timestamptz, is_simulated boolean,
    source_file varchar, line_no bigint, run_id varchar, load_id bigint, loaded_at timestamptz
"""
POSTS = """
    with words as (
        select
            list(substr(md5(cast(i as varchar)), 1, 3 + cast(hash(i) % 7 as integer)))
            as all_words
        from range(4000) as numbers(i)
    )
    select
        cast(1800000000000000000 + i as varchar) as record_id,
        timestamptz '2026-01-05 10:00:00+00' + to_microseconds(i // 100) as fetched_at,
        json_object(
            'id', cast(1800000000000000000 + i as varchar),
            'text', array_to_string(
                list_transform(
                    range(23), lambda n: all_words[1 + cast(hash(i * 31 + n) % 4000 as integer)]
                ),
                ' '
            ),
            'author_id', cast(hash(i % 50000) as varchar),
            'created_at', '2026-01-05T09:59:00.000Z',
            'lang', 'en',
            'public_metrics', json_object(
                'repost_count', hash(i) % 50, 'reply_count', hash(i + 1) % 50,
                'like_count', hash(i + 2) % 900, 'quote_count', 0, 'bookmark_count', 0,
                'impression_count', hash(i + 3) % 20000
            ),
            'edit_history_post_ids', [cast(1800000000000000000 + i as varchar)],
            'conversation_id', cast(1800000000000000000 + i as varchar)
        ) as payload
    from range({first}, {last}) as numbers(i), words
"""


def make_landing(folder: Path, *, rows: int, files: int) -> float:
    """Land `rows` posts in `files` files; return the seconds it took."""
    begin = time.perf_counter()
    per_file = rows // files
    writer = LandingWriter(
        folder, source_name="x", run_id="bench", is_simulated=False, max_part_rows=per_file
    )
    with writer, duckdb.connect() as connection:
        query = POSTS.format(first=0, last=rows)
        land_query(connection, query, writer=writer, source="x", stream="posts")
        writer.commit()
    return time.perf_counter() - begin


def bare(work: Path, files: list[str], *, columns: str, select: str, is_tuned: bool) -> None:
    """One statement over all files."""
    config: dict[str, str | bool | int | float | list[str]] = {}
    if is_tuned:
        config["storage_compatibility_version"] = STORAGE_VERSION
        config["preserve_insertion_order"] = False
    with duckdb.connect(str(work), config=config) as connection:
        connection.execute(f"create table bare ({columns})")
        connection.execute(f"insert into bare {select.format(lines=LINES.format(files=files))}")


def measure(name: str, work: Path, action: Callable[[], None]) -> tuple[float, float]:
    """Wall and cpu seconds of `action`, which writes `work`."""
    work.unlink(missing_ok=True)
    start = os.times()
    begin = time.perf_counter()
    action()
    wall = time.perf_counter() - begin
    end = os.times()
    cpu = end.user - start.user + end.system - start.system
    size = work.stat().st_size / 1e6
    print(f"  {name:12s} wall {wall:6.2f} s  cpu {cpu:6.2f} s  file {size:5.0f} MB", flush=True)
    return wall, cpu


def run(folder: Path, *, rows: int, files: int, rounds: int) -> None:
    """Measure all ways in turn and print rates and ratios."""
    landing = folder / "landing"
    took = make_landing(landing, rows=rows, files=files)
    paths = sorted(str(path) for path in landing.glob("x/posts/*/*.jsonl.zst"))
    work = folder / "work.duckdb"
    cut = (
        f'select {CUT} from (select line, instr(line, \'","payload":\') as mark from {{lines}}) '
        "where json_valid(line)"
    )
    plain = COLUMNS.format(compression="")
    zstd = COLUMNS.format(compression="using compression zstd")
    valid = "select line from {lines} where json_valid(line)"
    text = "select line from {lines}"
    ways: dict[str, Callable[[], None]] = {
        "loader": lambda: _load(work, landing, rows),
        "bare": lambda: bare(work, paths, columns="line json", select=valid, is_tuned=False),
        "bare cut": lambda: bare(work, paths, columns=plain, select=cut, is_tuned=False),
        "bare text": lambda: bare(work, paths, columns="line varchar", select=text, is_tuned=False),
        "bare tuned": lambda: bare(work, paths, columns=zstd, select=cut, is_tuned=True),
    }
    print(f"DuckDB {duckdb.__version__}; landed {rows} rows in {took:.1f} s ({rows / took:,.0f}/s)")
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds):
        print(f"round {number + 1}")
        for name, action in ways.items():
            seconds[name].append(measure(name, work, action))
    print("medians")
    for name, pairs in seconds.items():
        rate = rows / statistics.median(wall for wall, _ in pairs)
        by_wall, by_cpu = (
            statistics.median(
                other[kind] / own[kind] for other, own in zip(pairs, seconds["loader"], strict=True)
            )
            for kind in (0, 1)
        )
        print(
            f"  {name:12s} {rate:9,.0f} rows/s   loader is {by_wall:.2f} x as fast by wall, "
            f"{by_cpu:.2f} x by cpu"
        )


def _load(work: Path, landing: Path, rows: int) -> None:
    report = load(work, landing, [("x", "posts")], allow_simulated=False)
    assert report.row_count == rows, report.problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        run(Path(folder), rows=options.rows, files=options.files, rounds=options.rounds)


if __name__ == "__main__":
    main()
