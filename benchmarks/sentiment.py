"""Speed, agreement, memory and start of the embedded sentiment engine.

    python -m benchmarks.sentiment                      # all of it, generated texts, some minutes
    python -m benchmarks.sentiment speed --texts FILE   # one text a line

Speeds are taken in turns within one run, so that whatever else the machine does hits all alike;
the ratios are what to compare. Needs the extra `hub` for the usual way (transformers.pipeline).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PARTS = ("speed", "agreement", "memory", "start")


def main() -> None:
    """Run the parts that were asked for and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all when absent")
    parser.add_argument("--texts", type=Path, help="one text a line; generated ones when absent")
    parser.add_argument("--model-folder", type=Path, help="checkpoint; the shipped one when absent")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speed-texts", type=int, default=512)
    parser.add_argument("--agreement-texts", type=int, default=10_000)
    parser.add_argument("--memory-texts", type=int, default=20_000)
    parser.add_argument("--memory-child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_child is not None:
        _memory_child(arguments.memory_child, arguments.model_folder, arguments.threads)
        return
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {unknown.pop()}: one of {', '.join(PARTS)}")
    chosen = arguments.parts or PARTS
    if "speed" in chosen:
        texts = _texts(arguments.texts, arguments.speed_texts)
        _speed(texts, arguments.model_folder, arguments.threads, arguments.rounds)
    if "agreement" in chosen:
        texts = _texts(arguments.texts, arguments.agreement_texts)
        _agreement(texts, arguments.model_folder, arguments.threads)
    if "memory" in chosen:
        _memory(arguments.memory_texts, arguments.model_folder, arguments.threads)
    if "start" in chosen:
        _start(arguments.model_folder, arguments.rounds)


def _texts(file: Path | None, count: int) -> list[str]:
    if file is not None:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return (lines * (count // len(lines) + 1))[:count]
    from udfs.sentiment.quantise import generated_texts

    return generated_texts(count=count, seed=101)


def _speed(texts: Sequence[str], folder: Path | None, threads: int, rounds: int) -> None:
    import torch
    import transformers

    from udfs.sentiment import checkpoint, load_engine

    source = str(folder or checkpoint.EMBEDDED_FOLDER)
    engine = load_engine(model_dir=folder, threads=threads)
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    usual = transformers.pipeline(
        "text-classification", model=source, dtype=torch.float32, device="cpu", top_k=None
    )
    limits = {"truncation": True, "max_length": 128}
    # The slow ones are given fewer texts, spread over all lengths.
    few, some = list(texts[:: max(1, len(texts) // 64)]), list(texts[:: max(1, len(texts) // 256)])
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "transformers.pipeline, one at a time": (
            lambda: [usual(text, **limits) for text in few],
            len(few),
        ),
        "transformers.pipeline, batches of 32": (
            lambda: list(usual(some, batch_size=32, **limits)),
            len(some),
        ),
        "embedded engine, end to end": (lambda: engine.score(list(texts)), len(texts)),
    }
    for way, _ in ways.values():
        way()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (way, count) in ways.items():
            started, used = time.perf_counter(), time.process_time()
            way()
            wall[name].append(count / (time.perf_counter() - started))
            work[name].append(count / (time.process_time() - used))
    lengths = [len(ids) for ids in usual.tokenizer(list(texts))["input_ids"]]
    print(
        f"\nspeed: {len(texts)} texts of {statistics.mean(lengths):.1f} tokens, {threads} threads"
    )
    print(f"{'':<40}{'texts/s':>10}{'ratio':>8}{'texts/CPU s':>13}{'ratio':>8}")
    fast = "embedded engine, end to end"
    for name in ways:
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(wall[fast], wall[name], strict=True)
        )
        cpu_ratio = statistics.median(
            ours / theirs for ours, theirs in zip(work[fast], work[name], strict=True)
        )
        print(
            f"{name:<40}{statistics.median(wall[name]):>10,.0f}{ratio:>7.1f}x"
            f"{statistics.median(work[name]):>13,.0f}{cpu_ratio:>7.1f}x"
        )


def _agreement(texts: Sequence[str], folder: Path | None, threads: int) -> None:
    import numpy as np

    from udfs.sentiment.embedded import EmbeddedModel
    from udfs.sentiment.engine import Engine

    exact = Engine(EmbeddedModel.load(folder, threads=threads, is_reference=True)).score(texts)
    fast = Engine(EmbeddedModel.load(folder, threads=threads)).score(texts)
    labels = zip(exact.column("label").to_pylist(), fast.column("label").to_pylist(), strict=True)
    both = [(one, other) for one, other in labels if one is not None]
    same = sum(one == other for one, other in both)
    gap = np.abs(exact.column("score").to_numpy() - fast.column("score").to_numpy())
    gap = gap[~np.isnan(gap)]
    print(f"\nagreement of int8 with float32 on {len(both):,} texts")
    print(f"labels equal       {same / len(both):.4%}")
    print(f"score, mean gap    {gap.mean():.5f}   largest {gap.max():.4f}")


def _memory(count: int, folder: Path | None, threads: int) -> None:
    print("\nmemory: peak of a process that scores a stream of texts into a score store")
    for size in (count // 4, count):
        command = [sys.executable, "-m", "benchmarks.sentiment", "--memory-child", str(size)]
        command += ["--threads", str(threads)]
        command += ["--model-folder", str(folder)] if folder else []
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{size:>10,} texts   {done.stdout.strip()}")


def _memory_child(count: int, folder: Path | None, threads: int) -> None:
    import hashlib

    import pyarrow as pa

    from udfs.sentiment import load_engine, store
    from udfs.sentiment.quantise import generated_texts

    schema = pa.schema([("text_key", pa.string()), ("text", pa.string())])

    def batches() -> object:
        for start in range(0, count, 2_000):
            size = min(2_000, count - start)
            texts = [
                f"{text} {start + place}"
                for place, text in enumerate(generated_texts(count=size, seed=start))
            ]
            keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
            yield pa.record_batch([pa.array(keys), pa.array(texts)], schema=schema)

    engine = load_engine(model_dir=folder, threads=threads)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as store_dir:
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        store.score_missing(reader, engine=engine, store_dir=Path(store_dir))
    rate = count / (time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak:,.0f} MiB   {rate:,.0f} texts/s")


def _start(folder: Path | None, rounds: int) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom udfs.sentiment import load_engine\n"
        "folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None\n"
        "load_engine(model_dir=folder).score(['The new keyboard is a joy.'])\n"
    )
    command = [sys.executable, "-c", program, *([str(folder)] if folder else [])]
    root = Path(__file__).resolve().parents[1]
    wall, work = [], []
    for _ in range(rounds):
        before = os.times()
        started = time.perf_counter()
        subprocess.run(command, check=True, cwd=root)
        wall.append(time.perf_counter() - started)
        after = os.times()
        work.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
    print("\nstart: from nothing to the first score, Python and its imports included")
    print(f"best {min(wall):.2f} s, median {statistics.median(wall):.2f} s", end="")
    print(f"   (processor time {min(work):.2f} s)")


if __name__ == "__main__":
    main()
