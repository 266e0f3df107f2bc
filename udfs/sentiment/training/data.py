"""Labelled texts for training and evaluation.

The data folder holds any of these, each in the form in which it is published:

    semeval/*.tsv                     id, label word, text; tab-separated, `\\u2019` escapes
    tweeteval_val/val_text.txt        one text per line, `val_labels.txt` beside it (0, 1, 2)
    sst/stsa.fine.train               0..4 and a space before each sentence
    sst/stsa.binary.dev               0 or 1 and a space before each sentence
    reviews/*_labelled.txt            text, tab, 0 or 1; records end in CR or LF
    reviews/custrev.all               0 or 1 and a space before each sentence
    steam/*.csv                       Steam reviews with thumbs, below a block of totals

A user's own labels come as a CSV with the columns `text` and `label`, the label being
negative, neutral or positive (or 0, 1, 2).

`tweeteval_val`, `stsa.binary.dev` and a fifth of the reviews (chosen by the hash of the
text) are never trained on, and no text equal to one of them is, whatever its source.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from udfs.normalise import is_empty, normalise

NEGATIVE, NEUTRAL, POSITIVE = 0, 1, 2
LABEL_IDS = {"negative": NEGATIVE, "neutral": NEUTRAL, "positive": POSITIVE}
_LABEL_WORDS = LABEL_IDS | {"0": NEGATIVE, "1": NEUTRAL, "2": POSITIVE}
_FINE_TO_LABEL = (NEGATIVE, NEGATIVE, NEUTRAL, POSITIVE, POSITIVE)
_BINARY_TO_LABEL = (NEGATIVE, POSITIVE)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(\")|\\n")
_HELD_OUT_OF = 5
_STEAM_WORDS = range(3, 41)  # shorter ones are jokes, longer ones list for and against
_STEAM_PER_CLASS = 4_000
_NEAR = 40  # letters at either end that make two texts one


@dataclass(frozen=True)
class Example:
    """A normalised text, its label (0 negative, 1 neutral, 2 positive) and its source."""

    text: str
    label: int
    source: str


@dataclass(frozen=True)
class Corpus:
    """What is trained on, and the sets, by name, that only measure."""

    train: list[Example]
    evaluation: dict[str, list[Example]]


def decode_escapes(text: str) -> str:
    r"""Decode `\u2019`-style escapes left in the SemEval files."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_decode_escape, text)


def _decode_escape(match: re.Match[str]) -> str:
    if match.group(1):
        return chr(int(match.group(1), 16))
    return match.group(2) or " "


def text_sha256(normalised: str) -> str:
    """Hash of a normalised text: the key of folds and of stored predictions."""
    return hashlib.sha256(normalised.encode("utf-8")).hexdigest()


def duplicate_key(normalised: str) -> str:
    """Letters and digits alone, without names and links: equal for reprints of a post."""
    words = re.sub(r"@user|\bhttp\b", " ", normalised.lower())
    return re.sub(r"[\W_]+", "", words) or normalised


def is_held_out(normalised: str) -> bool:
    """Say whether a review belongs to the fifth that is never trained on."""
    return int(text_sha256(normalised)[:8], 16) % _HELD_OUT_OF == 0


def read_semeval(folder: Path) -> Iterator[Example]:
    """Tweets of SemEval 2013-2016 task A; rows whose text was withdrawn are skipped."""
    for path in sorted(folder.glob("*.tsv")):
        source = "tweets_2016" if "2016" in path.name else "tweets_2013_2015"
        for line in _lines(path):
            fields = line.split("\t")
            if len(fields) < 3 or fields[1] not in LABEL_IDS:
                continue
            text = decode_escapes(fields[2]).strip()
            if len(text) > 1 and text[0] == text[-1] == '"':
                text = text[1:-1].replace('""', '"')
            if text == "Not Available":
                continue
            yield from _example(text, LABEL_IDS[fields[1]], source)


def read_tweeteval(folder: Path) -> Iterator[Example]:
    """The validation split of TweetEval's sentiment task."""
    texts = _lines(folder / "val_text.txt")
    labels = (folder / "val_labels.txt").read_text(encoding="utf-8").split()
    if len(texts) != len(labels):
        raise ValueError(
            f"{folder}: {len(texts)} texts but {len(labels)} labels; fetch both files again"
        )
    for text, label in zip(texts, labels, strict=True):
        text = decode_escapes(text).strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        yield Example(normalise(text.replace('""', '"')), int(label), "tweeteval_val")


def read_prefixed(path: Path, labels: Sequence[int], source: str) -> Iterator[Example]:
    """Sentences after a class digit, split into tokens as in the SST distribution."""
    for line in _lines(path, encoding="latin-1"):
        digit, _, text = line.partition(" ")
        if digit.isdigit() and int(digit) < len(labels):
            yield from _example(untokenise(text), labels[int(digit)], source)


def read_tabbed_reviews(path: Path) -> Iterator[Example]:
    """Review sentences, tab, 0 or 1; quoting and record ends (CR, LF) vary by file."""
    source = "reviews_" + path.name.partition("_")[0]
    for record in re.split(r"[\r\n]+", path.read_text(encoding="utf-8", errors="replace")):
        text, tab, digit = record.rpartition("\t")
        if not tab or digit.strip() not in ("0", "1"):
            continue
        text = text.strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1].replace('""', '"')
        yield from _example(text, _BINARY_TO_LABEL[int(digit)], source)


def read_steam(folder: Path) -> Iterator[Example]:
    """Short English Steam reviews, thumbs up positive, down negative.

    Of each class the first 4,000 by the hash of the text are taken: the thumbs of the games
    at hand are mostly down.
    """
    found: dict[int, dict[str, Example]] = {NEGATIVE: {}, POSITIVE: {}}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            rows = csv.reader(stream)
            header = next((row for row in rows if row and row[0] == "Review ID"), None)
            if header is None:
                continue
            language, thumb = header.index("Language"), header.index("Up")
            body = header.index("Review text (Original)")
            for row in rows:
                if len(row) <= body or row[language] != "english":
                    continue
                label = POSITIVE if row[thumb] == "\N{WHITE HEAVY CHECK MARK}" else NEGATIVE
                text = re.sub(r"\[/?\w+(=[^\]]*)?\]", " ", row[body])  # [b], [/url]
                if len(text.split()) in _STEAM_WORDS:
                    for example in _example(text, label, "steam"):
                        found[label][text_sha256(example.text)] = example
    for examples in found.values():
        for key in sorted(examples)[:_STEAM_PER_CLASS]:
            yield examples[key]


def read_own_labels(path: Path) -> Iterator[Example]:
    """A user's CSV with the columns `text` and `label`.

    Raises `ValueError`, naming file and line, for a missing column or unknown label.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = {"text", "label"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))} in the header")
        for row in reader:
            label = _LABEL_WORDS.get((row["label"] or "").strip().lower())
            if label is None:
                raise ValueError(
                    f"{path}, line {reader.line_num}: label {row['label']!r}; "
                    "use negative, neutral or positive"
                )
            yield from _example(row["text"] or "", label, "own")


def untokenise(text: str) -> str:
    """Join what the SST tokeniser split, as people write it: `do n't .` -> `don't.`"""
    text = text.replace("-lrb-", "(").replace("-rrb-", ")")
    text = text.replace("``", '"').replace("''", '"')
    text = re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)
    return re.sub(r" ([.,!?;:%)])", r"\1", re.sub(r"([(]) ", r"\1", text))


def load_corpus(folder: Path | None, own_labels: Iterable[Path] = ()) -> Corpus:
    """Read whatever of the layout is present and keep evaluation texts out of training.

    Of own labels, too, the fifth that the hash chooses only measures. Raises
    `FileNotFoundError` if the folder and `own_labels` hold no labelled text.
    """
    evaluation: dict[str, list[Example]] = {}
    train: list[Example] = []
    split: list[Example] = []  # sources without a validation part of their own
    if folder is not None:
        if (folder / "tweeteval_val").is_dir():
            evaluation["tweeteval_val"] = list(read_tweeteval(folder / "tweeteval_val"))
        if (folder / "sst" / "stsa.binary.dev").is_file():
            dev = read_prefixed(folder / "sst" / "stsa.binary.dev", _BINARY_TO_LABEL, "sst2_dev")
            evaluation["sst2_dev"] = list(dev)
        if (folder / "sst" / "stsa.fine.train").is_file():
            train += read_prefixed(folder / "sst" / "stsa.fine.train", _FINE_TO_LABEL, "sst")
        train += read_semeval(folder / "semeval")
        train += read_steam(folder / "steam")
        split += unique(_read_reviews(folder / "reviews"))
    for path in own_labels:
        split += read_own_labels(path)
    for example in unique(split):
        if is_held_out(example.text):
            evaluation.setdefault(example.source, []).append(example)
        else:
            train.append(example)
    held = {
        key for part in evaluation.values() for example in part for key in _near_keys(example.text)
    }
    train = [example for example in unique(train) if held.isdisjoint(_near_keys(example.text))]
    if not train:
        raise FileNotFoundError(
            f"no labelled text under {folder}: lay the files out as udfs/sentiment/training/"
            "data.py says, or give a CSV with --labels"
        )
    return Corpus(train=train, evaluation=evaluation)


def unique(examples: Iterable[Example]) -> list[Example]:
    """Drop repeated texts; a text that carries different labels is dropped altogether."""
    first: dict[str, Example] = {}
    contradicted: set[str] = set()
    for example in examples:
        key = duplicate_key(example.text)
        kept = first.setdefault(key, example)
        if kept.label != example.label:
            contradicted.add(key)
    return [example for key, example in first.items() if key not in contradicted]


def _near_keys(normalised: str) -> set[str]:
    """Keys that a text shares with its reprints, also with those cut or quoted at one end."""
    key = duplicate_key(normalised)
    return {key} if len(key) < _NEAR else {key, "^" + key[:_NEAR], key[-_NEAR:] + "$"}


def _read_reviews(folder: Path) -> Iterator[Example]:
    for path in sorted(folder.glob("*_labelled.txt")):
        yield from read_tabbed_reviews(path)
    if (folder / "custrev.all").is_file():
        yield from read_prefixed(folder / "custrev.all", _BINARY_TO_LABEL, "reviews_custrev")


def _example(text: str, label: int, source: str) -> Iterator[Example]:
    normalised = normalise(text)
    if not is_empty(normalised):
        yield Example(normalised, label, source)


def _lines(path: Path, *, encoding: str = "utf-8") -> list[str]:
    # Not splitlines(): U+0085 and U+2028 occur inside tweets.
    text = path.read_text(encoding=encoding, errors="replace")
    return [line for line in re.split(r"\r?\n|\r", text) if line.strip()]
