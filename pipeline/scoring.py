"""`social-signals score` and `social-signals evaluate`: any text, any file, any model."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import tabular
from pipeline.console import clean, err, meter, out
from udfs.errors import SocialSignalsError

ROWS_AT_ONCE = 4_096
COLUMNS = (
    "label",
    "score",
    "confidence",
    "status",
    "p_negative",
    "p_neutral",
    "p_positive",
    "model_revision",
)
LABELS = ("negative", "neutral", "positive")
# What people call the three; numbers mean different things in different files (--labels).
_LABEL_NAMES = {
    **dict.fromkeys(("negative", "neg", "-1", "bad"), "negative"),
    **dict.fromkeys(("neutral", "neu"), "neutral"),
    **dict.fromkeys(("positive", "pos", "good"), "positive"),
}


class ScoringError(SocialSignalsError):
    """Texts, a file or an option that cannot be used as they are."""


ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="`embedded`, or `hub:NAME[@REVISION]` or `hub:FOLDER` (extra `hub`).",
    ),
]
ModelFolderOption = Annotated[
    Path | None,
    typer.Option("--model-folder", help="Another checkpoint of the embedded model's layout."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Processors to use; all when absent.")
]


def register(app: typer.Typer) -> None:
    """Add the two commands to the command line."""
    app.command("score")(score)
    app.command("evaluate")(evaluate)


def score(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts to score, or with --text-column one file. Standard input when absent."
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option("--text-column", "-c", help="Score this column of a .csv/.jsonl/.parquet."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write .csv, .jsonl or .parquet; else the screen."),
    ] = None,
    model: ModelOption = "embedded",
    model_folder: ModelFolderOption = None,
    threads: ThreadsOption = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="What the new columns' names begin with.")
    ] = "sentiment_",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
    ] = False,
) -> None:
    """Say how positive or negative texts are. A file keeps its other columns.

    Example: social-signals score "The new keyboard is a joy" "It broke after a week"
    Example: social-signals score reviews.csv --text-column body --output scored.csv
    Example: cat posts.txt | social-signals score --json
    Example: social-signals score "Great" --model hub:path/to/a/checkpoint
    """
    if text_column is not None:
        if not texts or len(texts) != 1:
            raise ScoringError(
                "--text-column goes with one file.", "Name one .csv, .jsonl or .parquet file."
            )
        rows, schema = tabular.read_rows(Path(texts[0]), required=[text_column])
    else:
        rows, schema = _rows_of_texts(texts), None
        text_column = "text"
    if output is not None:
        tabular.check_suffix(output)
    engine = _load(model, model_folder, threads)
    scored = _scored(rows, engine, text_column, prefix)
    if output is not None:
        names = [f"{prefix}{name}" for name in COLUMNS]
        count = tabular.write_rows(output, scored, source_schema=schema, added=names)
        err.print(f"{count:,} rows written to {output}", markup=False)
    else:
        _print_rows(scored, text_column, prefix, as_json=as_json)


def _load(model: str, folder: Path | None, threads: int | None) -> Any:  # noqa: ANN401
    # Imported late: `--help` needs no model.
    from udfs.sentiment import load_engine

    return load_engine(model, model_dir=folder, threads=threads)


def _rows_of_texts(texts: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    if texts:
        lone_file = len(texts) == 1 and Path(texts[0]).suffix.lower() in tabular.SUFFIXES
        if lone_file and Path(texts[0]).is_file():
            raise ScoringError(
                f"{texts[0]} is a file.", "Say which column to score: --text-column NAME."
            )
        return iter([{"text": text} for text in texts])
    if sys.stdin.isatty():
        raise ScoringError(
            "there is nothing to score.",
            "Give texts as arguments, pipe them in, or name a file and --text-column.",
        )
    return _rows_of_input()


def _rows_of_input() -> Iterator[dict[str, Any]]:
    # Bytes: standard input may hold anything, and one bad byte must not stop the rest.
    for line in sys.stdin.buffer:
        yield {"text": line.decode("utf-8", "replace").rstrip("\r\n")}


def _scored(
    rows: Iterator[dict[str, Any]],
    engine: Any,  # noqa: ANN401
    text_column: str,
    prefix: str,
) -> Iterator[dict[str, Any]]:
    done = 0
    with meter("scoring") if not sys.stdout.isatty() else nullcontext() as shown:
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            table = engine.score([row.get(text_column) for row in chunk])
            columns = {name: table.column(name).to_pylist() for name in COLUMNS}
            for position, row in enumerate(chunk):
                new = {f"{prefix}{name}": columns[name][position] for name in COLUMNS}
                taken = sorted(new.keys() & row.keys())
                if taken:
                    raise ScoringError(
                        f"the file has a column {taken[0]} already.",
                        "Choose other names for the new ones: --prefix NAME.",
                    )
                yield {**row, **new}
            done += len(chunk)
            if shown is not None:
                shown.update(done)


def _print_rows(
    rows: Iterable[dict[str, Any]], text_column: str, prefix: str, *, as_json: bool
) -> None:
    for row in rows:
        if as_json:
            line = json.dumps(tabular.plain(row), ensure_ascii=True)
            out.print(line, markup=False, soft_wrap=True)
            continue
        label = row[f"{prefix}label"] or "-"
        value = row[f"{prefix}score"]
        shown = f"{value:+.3f}" if value is not None else "      "
        status = row[f"{prefix}status"]
        note = "" if status == "scored" else f"  ({status})"
        text = " ".join(str(row.get(text_column) or "").split())
        out.print(f"{label:<8} {shown}  {clean(text)}{note}")


def evaluate(
    file: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet file with labels.")],
    text_column: Annotated[str, typer.Option("--text-column", "-c", help="Column of the texts.")],
    label_column: Annotated[
        str, typer.Option("--label-column", "-l", help="Column of the true labels.")
    ],
    labels: Annotated[
        str | None,
        typer.Option("--labels", help="What the labels mean: 0=negative,1=neutral,2=positive"),
    ] = None,
    model: ModelOption = "embedded",
    model_folder: ModelFolderOption = None,
    threads: ThreadsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure a model on labels of your own.

    Example: social-signals evaluate labelled.csv --text-column text --label-column sentiment
    Example: social-signals evaluate sst.csv -c sentence -l label --labels 0=negative,1=positive
    """
    meanings = _meanings(labels)
    rows, _ = tabular.read_rows(file, required=[text_column, label_column])
    engine = _load(model, model_folder, threads)
    figures = measure(
        ((row.get(text_column), row.get(label_column)) for row in rows),
        engine,
        meanings,
        file=file.name,
    )
    if as_json:
        out.print(json.dumps(figures), markup=False, soft_wrap=True)
    else:
        _print_figures(figures)


def measure(
    pairs: Iterable[tuple[Any, Any]],
    engine: Any,  # noqa: ANN401
    meanings: dict[str, str],
    *,
    file: str,
) -> dict[str, Any]:
    """Score labelled texts and return the figures that `evaluate` prints.

    Texts without a score (empty, other languages) are counted by status and left out of the
    measures. `two_class_accuracy` compares only p_positive with p_negative, on texts whose true
    label is one of the two. Raises `ScoringError` for a label that means nothing known.
    """
    import numpy as np

    from udfs.sentiment import metrics

    gold: list[int] = []
    shares: list[tuple[float, float, float]] = []
    statuses: Counter[str] = Counter()
    numbered = enumerate(pairs, start=1)
    has_neutral = True
    while chunk := list(islice(numbered, ROWS_AT_ONCE)):
        truths = [_side(label, meanings, file=file, row=row) for row, (_, label) in chunk]
        table = engine.score([text for _, (text, _) in chunk])
        statuses.update(table.column("status").to_pylist())
        sides = zip(*(table.column(f"p_{label}").to_pylist() for label in LABELS), strict=True)
        for truth, (negative, neutral, positive) in zip(truths, sides, strict=True):
            if negative is None:
                continue
            has_neutral = neutral is not None
            gold.append(LABELS.index(truth))
            shares.append((negative, neutral if has_neutral else 0.0, positive))
    if not gold:
        raise ScoringError(f"{file}: no text could be scored.", "Check --text-column.")
    truth_array = np.array(gold)
    probabilities = np.array(shares)
    ranked = probabilities.copy()
    if not has_neutral:
        ranked[:, 1] = -1.0
    predicted = ranked.argmax(axis=1)
    polar = truth_array != LABELS.index("neutral")
    agrees = (probabilities[polar, 2] > probabilities[polar, 0]) == (truth_array[polar] == 2)
    matrix = metrics.confusion_matrix(truth_array, predicted, n_classes=3)
    return {
        "model_revision": engine.revision,
        "texts": sum(statuses.values()),
        "scored": len(gold),
        "by_status": dict(statuses),
        "labels": list(LABELS),
        "accuracy": metrics.accuracy(truth_array, predicted),
        "macro_recall": metrics.macro_recall(truth_array, predicted, n_classes=3),
        "macro_f1": metrics.macro_f1(truth_array, predicted, n_classes=3),
        "two_class_accuracy": float(agrees.mean()) if polar.any() else None,
        "expected_calibration_error": metrics.expected_calibration_error(
            truth_array, probabilities
        ),
        "confusion_matrix": matrix.tolist(),
        "calibration": _calibration(truth_array, probabilities, predicted),
    }


def _calibration(gold: Any, probabilities: Any, predicted: Any) -> list[dict[str, float]]:  # noqa: ANN401
    """Return confidence and accuracy by tenths of confidence."""
    import numpy as np

    confidence = probabilities[np.arange(len(gold)), predicted]
    tenth = np.minimum((confidence * 10).astype(int), 9)
    rows = []
    for number in range(10):
        inside = tenth == number
        if inside.any():
            rows.append(
                {
                    "from": number / 10,
                    "texts": int(inside.sum()),
                    "confidence": float(confidence[inside].mean()),
                    "accuracy": float((gold[inside] == predicted[inside]).mean()),
                }
            )
    return rows


def _meanings(option: str | None) -> dict[str, str]:
    if option is None:
        return dict(_LABEL_NAMES)
    meanings = {}
    for part in option.split(","):
        name, equals, side = part.partition("=")
        if not equals or side.strip().lower() not in LABELS:
            raise ScoringError(
                f"--labels: {part!r} says nothing.",
                "Say for instance 0=negative,1=neutral,2=positive.",
            )
        meanings[name.strip().lower()] = side.strip().lower()
    return meanings


def _side(label: Any, meanings: dict[str, str], *, file: str, row: int) -> str:  # noqa: ANN401
    name = str(label).strip().lower()
    if isinstance(label, float) and label.is_integer():
        name = str(int(label))
    if name not in meanings:
        raise ScoringError(
            f"{file}, row {row}: what the label {str(label)[:40]!r} means is not known.",
            "Say it: --labels 0=negative,1=neutral,2=positive.",
        )
    return meanings[name]


def _print_figures(figures: dict[str, Any]) -> None:
    statuses = ", ".join(f"{name} {n:,}" for name, n in sorted(figures["by_status"].items()))
    lines = [
        f"model               {figures['model_revision']}",
        f"texts               {figures['texts']:,} ({statuses})",
        f"accuracy            {figures['accuracy']:.4f}",
        f"macro-recall        {figures['macro_recall']:.4f}",
        f"macro-F1            {figures['macro_f1']:.4f}",
    ]
    if figures["two_class_accuracy"] is not None:
        lines.append(
            f"two-class accuracy  {figures['two_class_accuracy']:.4f}  (positive or negative only)"
        )
    lines += [
        f"calibration error   {figures['expected_calibration_error']:.4f}",
        "",
        "true \\ predicted    " + "".join(f"{label:>10}" for label in LABELS),
    ]
    for label, counts in zip(LABELS, figures["confusion_matrix"], strict=True):
        lines.append(f"{label:<20}" + "".join(f"{count:>10,}" for count in counts))
    lines += ["", "confidence          texts   mean confidence   accuracy"]
    for bin_ in figures["calibration"]:
        lines.append(
            f"{bin_['from']:.1f}-{bin_['from'] + 0.1:.1f}         {bin_['texts']:>8,}"
            f"   {bin_['confidence']:>15.3f}   {bin_['accuracy']:>8.3f}"
        )
    for line in lines:
        out.print(line, markup=False)
