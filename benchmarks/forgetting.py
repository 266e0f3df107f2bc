"""What forgetting costs: one post, one author, then a hundred thousand posts, among many.

    python -m benchmarks.forgetting [--rows 300000] [--files 30] [--forget 100000] [--folder FOLDER]

Posts of about 500 bytes lie in landing files and in a work file, nothing is built of them. Each
line tells what was found, the files rewritten, the seconds of searching and of everything, and in
brackets those of all processors, which say more on a machine that others use. The last lines tell
what landing and loading cost when the list of forgotten ids is that long.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from extract.personal import Targets
from pipeline import forgetting
from pipeline.forgetting import Asked, finish_removed, remove_asked
from pipeline.privacy import guard
from pipeline.settings import Settings, load_settings
from warehouse.landing import LandingWriter
from warehouse.loading import load

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
FIRST_ID = 1_790_000_000_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--files", type=int, default=30)
    parser.add_argument("--forget", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure(Path(folder), given.rows, given.files, given.forget)


def measure(folder: Path, rows: int, files: int, forget: int) -> None:
    os.environ["SOCIAL_SIGNALS_DATA"] = str(folder)
    file = folder / "shop.toml"
    file.write_text("[target]\nexpects = []\n", encoding="utf-8")
    settings = load_settings(file)
    words = random.Random(7)
    for number in range(files):
        land(
            settings,
            f"r{number}",
            range(number * rows // files, (number + 1) * rows // files),
            words,
        )
    started = clock()
    load(settings.paths.work, settings.paths.landing, (), allow_simulated=False)
    print(f"{rows:,} posts in {files} files, {size_of(settings)} MB, loaded in {since(started)}")

    ask(settings, "one post", Targets(posts={f"x:{FIRST_ID + rows // 2}"}))
    ask(settings, "one author", Targets(authors={"x:author17"}))
    step = max(1, rows // forget)
    posts = {f"x:{FIRST_ID + n}" for n in range(0, rows, step)}
    ask(settings, f"{len(posts):,} posts", Targets(posts=posts))

    for label, name in (("that were never seen", "new"), ("most of them forgotten", "again")):
        begin = rows if name == "new" else 0
        started = clock()
        land(settings, name, range(begin, begin + rows // files), words)
        print(f"landing {rows // files:,} posts {label}: {since(started)}")
    started = clock()
    load(settings.paths.work, settings.paths.landing, (), allow_simulated=False)
    print(f"loading them: {since(started)}")


def land(settings: Settings, run_id: str, numbers: range, words: random.Random) -> None:
    with LandingWriter(
        settings.paths.landing, source_name="x", run_id=run_id, is_simulated=False, guard=guard
    ) as writer:
        for number in numbers:
            post_id = str(FIRST_ID + number)
            text = " ".join(
                words.choices(("quillo", "ships", "code", "slow", "great", "today"), k=40)
            )
            payload = {
                "id": post_id,
                "text": text,
                "author_id": f"author{number % 20_000}",
                "edit_history_tweet_ids": [post_id],
                "public_metrics": {"like_count": number % 97, "reply_count": 1},
                "referenced_tweets": [{"type": "replied_to", "id": str(FIRST_ID - number)}],
            }
            writer.append("x", "posts", post_id, payload, NOW)
        writer.commit()


def ask(settings: Settings, what: str, targets: Targets) -> None:
    searched: list[str] = []
    real = forgetting.find

    def find(*given: object) -> object:
        began = clock()
        try:
            return real(*given)  # type: ignore[arg-type]
        finally:
            searched.append(since(began))

    forgetting.find = find  # type: ignore[assignment]
    try:
        started = clock()
        request = remove_asked(settings, Asked(targets), run_id=f"r{time.time_ns()}", now=NOW)
        finish_removed(settings, NOW)
        whole = since(started)
    finally:
        forgetting.find = real
    marks = [entry for files in request.plan.marks.values() for entry in files.values() if entry]
    gone, changed = sum(m.dropped for m in marks), sum(len(m.change) for m in marks)
    print(
        f"{what}: {gone:,} lines removed, {changed:,} changed, {len(marks)} files rewritten; "
        f"search {' + '.join(searched)}, all {whole}"
    )


def clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(started: tuple[float, float]) -> str:
    wall, cpu = (now - then for now, then in zip(clock(), started, strict=True))
    return f"{wall:.1f} s ({cpu:.1f} s)"


def size_of(settings: Settings) -> int:
    return sum(path.stat().st_size for path in settings.paths.landing.rglob("*.zst")) // 1_000_000


if __name__ == "__main__":
    main()
