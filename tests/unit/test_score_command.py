"""`social-signals score` and `evaluate`, from the command line to the files they write."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from pipeline import scoring, tabular
from tests import tiny_checkpoint

ROWS = [
    {"id": "1", "body": "I love it, great", "note": "=SUM(A1)"},
    {"id": "2", "body": "I hate it, broken", "note": "-5"},
    {"id": "3", "body": "", "note": "@cell, with comma"},
    {"id": "4", "body": "the order arrived\ntoday", "note": "+1 from me"},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.make_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


DELIMITERS = {".csv": ",", ".tsv": "\t"}


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    scoring.register(app)
    return app


def _run(app: typer.Typer, *arguments: object, text: bytes | None = None) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=text)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def _write(file: Path) -> Path:
    if file.suffix in DELIMITERS:
        with file.open("w", newline="", encoding="utf-8") as opened:
            delimiter = DELIMITERS[file.suffix]
            writer = csv.DictWriter(opened, ["id", "body", "note"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), file)
    return file


def _read(file: Path) -> list[dict[str, object]]:
    if file.suffix in DELIMITERS:
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened, delimiter=DELIMITERS[file.suffix]))
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return pq.read_table(file).to_pylist()


def test_texts_as_arguments(app: typer.Typer, tiny: Path) -> None:
    shown = _run(
        app, "score", "I love it", "I hate it", "https://x.example", "--model-folder", tiny
    )
    lines = shown.splitlines()
    assert lines[0].startswith("positive +0.9")
    assert lines[1].startswith("negative -0.9")
    assert lines[2].startswith("-")
    assert "(empty)" in lines[2]


def test_standard_input_with_hostile_bytes(app: typer.Typer, tiny: Path) -> None:
    text = b"I love it\nbad \xff\xfe byte, I hate it\n\x1b[31m great \x1b[0m\x07 \xe2\x80\xae\n"
    shown = _run(app, "score", "--model-folder", tiny, text=text)
    assert [line.split()[0] for line in shown.splitlines()] == ["positive", "negative", "positive"]
    assert not set("\x1b\x07\u202e") & set(shown)
    as_json = _run(app, "score", "--json", "--model-folder", tiny, text=text)
    assert as_json.isascii()
    assert [json.loads(line)["sentiment_label"] for line in as_json.splitlines()] == [
        "positive", "negative", "positive",
    ]  # fmt: skip


@pytest.mark.parametrize("source", tabular.SUFFIXES)
@pytest.mark.parametrize("target", tabular.SUFFIXES)
def test_files_keep_their_columns(
    app: typer.Typer, tiny: Path, tmp_path: Path, source: str, target: str
) -> None:
    file, output = _write(tmp_path / f"in{source}"), tmp_path / f"out{target}"
    _run(app, "score", file, "-c", "body", "-o", output, "--model-folder", tiny)
    rows = _read(output)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["body"] for row in rows] == [row["body"] for row in ROWS]
    assert [row["sentiment_label"] or None for row in rows] == [
        "positive", "negative", None, "neutral",
    ]  # fmt: skip
    assert rows[2]["sentiment_status"] == "empty"
    assert float(rows[0]["sentiment_score"]) > 0.9 > -0.9 > float(rows[1]["sentiment_score"])
    notes = [row["note"] for row in rows]
    if target in DELIMITERS:
        assert notes == ["'=SUM(A1)", "-5", "'@cell, with comma", "'+1 from me"]
    else:
        assert notes == [row["note"] for row in ROWS]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_parquet_keeps_its_types(app: typer.Typer, tiny: Path, tmp_path: Path) -> None:
    table = pa.table(
        {
            "at": pa.array([1, 2], pa.timestamp("us", "UTC")),
            "price": pa.array([1, None], pa.decimal128(9, 2)),
            "tags": [["a"], []],
            "body": ["I love it", None],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    output = tmp_path / "out.parquet"
    _run(app, "score", tmp_path / "in.parquet", "-c", "body", "-o", output, "--model-folder", tiny)
    found = pq.read_table(output)
    assert found.select(table.column_names).equals(table)
    assert found.column("sentiment_status").to_pylist() == ["scored", "empty"]


def test_a_failure_leaves_no_file(app: typer.Typer, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"body": "great"}\nnot json\n')
    with pytest.raises(tabular.TabularError, match="line 2"):
        _run(app, "score", file, "-c", "body", "-o", tmp_path / "o.csv", "--model-folder", tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["score", "in.csv"], "--text-column"),
        (["score", "in.csv", "-c", "nothing"], "It has: id, body, note"),
        (["score", "none.csv", "-c", "body"], "Check the path"),
        (["score", "in.csv", "-c", "body", "-o", "out.xlsx"], ".parquet"),
        (["score", "a", "b", "-c", "body"], "Name one"),
        (["score", "a", "--model", "vader"], "embedded"),
        (["evaluate", "in.csv", "-c", "body", "-l", "note"], "--labels"),
        (["evaluate", "in.csv", "-c", "body", "-l", "id", "--labels", "1=great"], "1=neutral"),
    ],
)
def test_mistakes_are_answered_with_the_remedy(
    app: typer.Typer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny: Path,
    arguments: list[str],
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "in.csv")
    with pytest.raises(scoring.SocialSignalsError) as caught:
        _run(app, *arguments, "--model-folder", tiny)
    assert remedy in caught.value.remedy


def test_columns_that_exist_are_not_overwritten(
    app: typer.Typer, tiny: Path, tmp_path: Path
) -> None:
    file, once, twice = _write(tmp_path / "a.csv"), tmp_path / "b.csv", tmp_path / "c.csv"
    _run(app, "score", file, "-c", "body", "-o", once, "--model-folder", tiny)
    with pytest.raises(scoring.ScoringError) as caught:
        _run(app, "score", once, "-c", "body", "-o", twice, "--model-folder", tiny)
    assert "--prefix" in caught.value.remedy
    _run(app, "score", once, "-c", "body", "-o", twice, "--prefix", "b_", "--model-folder", tiny)
    assert "b_label" in _read(twice)[0]
    assert "sentiment_label" in _read(twice)[0]


def test_evaluate(app: typer.Typer, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    rows = [
        ("I love it", "positive"), ("great app", "POS"), ("I hate it", "neg"),
        ("broken", "neutral"), ("the order arrived today", "neutral"), ("", "negative"),
    ]  # fmt: skip
    file.write_text("".join(json.dumps({"t": text, "l": label}) + "\n" for text, label in rows))
    arguments = ["evaluate", file, "-c", "t", "-l", "l", "--model-folder", tiny]
    figures = json.loads(_run(app, *arguments, "--json"))
    assert figures["texts"] == 6
    assert figures["scored"] == 5
    assert figures["by_status"] == {"scored": 5, "empty": 1}
    assert figures["accuracy"] == pytest.approx(4 / 5)
    assert figures["macro_recall"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert figures["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [0, 0, 2]]
    assert figures["two_class_accuracy"] == 1.0
    assert sum(row["texts"] for row in figures["calibration"]) == 5
    shown = _run(app, *arguments)
    assert "macro-recall        0.8333" in shown


def test_evaluate_with_numbers_for_labels(app: typer.Typer, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    file.write_text("t,l\nI love it,1\nI hate it,0\n")
    arguments = ["evaluate", file, "-c", "t", "-l", "l", "--model-folder", tiny, "--json"]
    figures = json.loads(_run(app, *arguments, "--labels", "0=negative,1=positive"))
    assert figures["accuracy"] == figures["two_class_accuracy"] == 1.0
