"""Train the embedded sentiment model: `python -m udfs.sentiment.training --help`."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import DistilBertForSequenceClassification

from udfs.normalise import NORMALISER_REVISION
from udfs.sentiment import metrics
from udfs.sentiment.training import card, emoji_lexicon, export, finetune, minilm
from udfs.sentiment.training.data import Corpus, Example, load_corpus

log = logging.getLogger(__name__)

EMBEDDED = Path(__file__).resolve().parents[1] / "model"
SELECTION_PARTS = ("tweeteval_val", "own")
FIRST_EPOCHS = 0.9
OWN_EPOCHS = 2.0
RUNS_FROM_MINILM = 2
START_SEED = 0  # of the new head: runs that are averaged must begin alike


@dataclass(frozen=True)
class Start:
    """Where training starts: a checkpoint folder, or MiniLM if there is none."""

    checkpoint: Path | None

    def model(self) -> DistilBertForSequenceClassification:
        if self.checkpoint is None:
            return minilm.from_minilm(seed=START_SEED)
        return DistilBertForSequenceClassification.from_pretrained(
            self.checkpoint, dtype=torch.float32, use_safetensors=True
        )

    def tokenizer_folder(self) -> Path:
        return self.checkpoint or minilm.package_folder()


def phases(*, is_new: bool, epochs: float | None) -> list[finetune.Settings]:
    """Settings of the phases, each of which begins with the average that the last ended with.

    From MiniLM one pass, and several of smaller steps with the first phase's average among the
    teachers. A checkpoint that has been trained before bears smaller steps only, with
    embeddings and two layers frozen. `epochs` are those of the last phase.
    """
    settings = finetune.Settings()
    if is_new:
        first = replace(settings, epochs=FIRST_EPOCHS, learning_rate=7e-5, average_decay=0.998)
        return [first, replace(settings, epochs=epochs or settings.epochs)]
    settings = replace(
        settings,
        frozen_layers=2,
        epochs=epochs or OWN_EPOCHS,
        learning_rate=2e-5,
        average_decay=0.998,
        head_rate_factor=1.0,
        emoji_only=60,
    )
    return [settings]


def teach(
    teachers: Sequence[Path], examples: Sequence[Example], *, max_length: int, cache: Path
) -> dict[str, npt.NDArray[np.float32]]:
    """What checkpoints say of the training texts: the mean of their logits, shape (3,), by text.

    Read once and kept in `cache`, so that a killed training goes on without them.
    """
    if not teachers:
        return {}
    texts = [example.text for example in examples]

    def read() -> npt.NDArray[np.float32]:
        total = np.zeros((len(texts), len(minilm.LABELS)), np.float32)
        for folder in teachers:
            log.info("%s reads %d texts", folder, len(texts))
            tokenizer = finetune.load_tokenizer(folder)
            model = Start(folder).model()
            total += finetune.predict_logits(model, tokenizer, texts, max_length=max_length)
        return total / np.float32(len(teachers))

    weights = [export.file_sha256(folder / export.MODEL_FILE).encode() for folder in teachers]
    return dict(zip(texts, _read_once(read, texts, weights, cache), strict=True))


def teach_by_average(
    start: Start,
    state: Mapping[str, torch.Tensor],
    examples: Sequence[Example],
    teacher: Mapping[str, npt.NDArray[np.float32]],
    *,
    max_length: int,
    cache: Path,
) -> dict[str, npt.NDArray[np.float32]]:
    """What the weights `state` say of the training texts, averaged with what `teacher` says.

    Logits of shape (3,) by text; half and half where `teacher` has read the text.
    """
    texts = [example.text for example in examples]

    def read() -> npt.NDArray[np.float32]:
        log.info("the average of the runs reads %d texts", len(texts))
        model = start.model()
        model.load_state_dict(state)
        tokenizer = finetune.load_tokenizer(start.tokenizer_folder())
        said: npt.NDArray[np.float32] = finetune.predict_logits(
            model, tokenizer, texts, max_length=max_length
        )
        return said

    weights = [np.ascontiguousarray(tensor.numpy()).tobytes() for tensor in state.values()]
    heard = dict(zip(texts, _read_once(read, texts, weights, cache), strict=True))
    return heard | {
        text: (heard[text] + said) / np.float32(2)
        for text, said in teacher.items()
        if text in heard
    }


def _read_once(
    read: Callable[[], npt.NDArray[np.float32]],
    texts: Sequence[str],
    weights: Sequence[bytes],
    cache: Path,
) -> npt.NDArray[np.float32]:
    """What `read` returns, kept in `cache` for the same texts and weights; shape (texts, 3)."""
    digest = hashlib.sha256("\n".join(texts).encode())
    for piece in weights:
        digest.update(piece)
    if cache.is_file():
        with np.load(cache) as kept:
            if str(kept["identity"]) == digest.hexdigest():
                logits: npt.NDArray[np.float32] = kept["logits"]
                return logits
    logits = read()
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, identity=np.array(digest.hexdigest()), logits=logits)
    return logits


def train_phases(
    start: Start,
    corpus: Corpus,
    chosen: Sequence[finetune.Settings],
    *,
    runs: int,
    folder: Path,
    teacher: Mapping[str, npt.NDArray[np.float32]] | None = None,
) -> list[dict[str, torch.Tensor]]:
    """Train every phase `runs` times; a killed training goes on where it stopped.

    Each phase begins with the average of the last one's runs, which joins the teachers.
    Returns the weights that may ship: the average of the last phase's runs and each of these.
    """
    tokenizer = finetune.load_tokenizer(start.tokenizer_folder())
    state: dict[str, torch.Tensor] = start.model().state_dict()
    states: list[dict[str, torch.Tensor]] = []
    heard = dict(teacher or {})
    for phase, settings in enumerate(chosen, start=1):
        if phase > 1:
            heard = teach_by_average(
                start,
                state,
                corpus.train,
                heard,
                max_length=settings.max_length,
                cache=folder / f"phase{phase}_teacher.npz",
            )
        states = []
        for number in range(1, runs + 1):
            model = start.model()
            model.load_state_dict(state)
            run = finetune.Run(
                model=model,
                tokenizer=tokenizer,
                examples=corpus.train,
                settings=replace(settings, seed=10 * (phase - 1) + number),
                folder=folder / f"phase{phase}_run{number}",
                teacher=heard,
            )
            run.resume()
            run.train()
            states.append(run.averaged_state())
        state = export.average_states(states)
    return [state, *states]


def choose(
    start: Start, corpus: Corpus, candidates: Sequence[dict[str, torch.Tensor]]
) -> DistilBertForSequenceClassification:
    """The candidate of highest macro-recall on the validation texts; without any, the first."""
    model = start.model()
    part = next((part for part in SELECTION_PARTS if part in corpus.evaluation), None)
    best, best_recall = candidates[0], -1.0
    for candidate in candidates if part else ():
        model.load_state_dict(candidate)
        gold, logits = _predict(model, start, corpus.evaluation[part or ""])
        recall = metrics.macro_recall(gold, logits.argmax(axis=1), n_classes=len(minilm.LABELS))
        log.info("candidate: macro-recall %.4f on %s", recall, part)
        if recall > best_recall:
            best, best_recall = candidate, recall
    model.load_state_dict(best)
    return model


def finish(
    model: DistilBertForSequenceClassification,
    corpus: Corpus,
    start: Start,
    output: Path,
    *,
    name: str,
    note: str,
) -> None:
    """Calibrate, round, measure and write the checkpoint, its predictions and its card."""
    tokenizer = finetune.load_tokenizer(start.tokenizer_folder())
    parts = dict(corpus.evaluation) | {"emoji_held_out": emoji_lexicon.held_out_examples()}
    chosen = next((part for part in SELECTION_PARTS if part in parts), None)
    temperature = 1.0
    if chosen:
        gold, logits = _predict(model, start, parts[chosen])
        temperature = export.best_temperature(gold, logits)
    export.fold_temperature(model, temperature)
    export.round_to_half(model)
    scored = {}
    threshold = card.low_confidence_threshold(np.empty(0, np.int64), np.empty((0, 3)))
    for part, examples in parts.items():
        gold, logits = _predict(model, start, examples)
        scores = export.probabilities(logits)
        scored[part] = (examples, scores)
        if part == chosen:
            threshold = card.low_confidence_threshold(gold, scores.astype(np.float64))
    export.write_checkpoint(model, tokenizer, start.tokenizer_folder() / "vocab.txt", output)
    export.write_predictions(scored, output / export.PREDICTIONS_FILE)
    content = {
        "name": name,
        "sha256": {
            file: export.file_sha256(output / file)
            for file in (export.MODEL_FILE, "tokenizer.json", export.PREDICTIONS_FILE)
        },
        "labels": list(minilm.LABELS),
        "normaliser_revision": NORMALISER_REVISION,
        "temperature": round(temperature, 4),
        "low_confidence_below": threshold,
        "training": {
            "texts": dict(sorted(Counter(example.source for example in corpus.train).items())),
            "note": note,
        },
        "figures": card.figures(output / export.PREDICTIONS_FILE),
    }
    export.write_json(content, output / "model.json")
    (output / "MODEL_CARD.md").write_text(card.render(content), encoding="utf-8")
    _calibrate_engine(output, corpus)


def _predict(
    model: DistilBertForSequenceClassification, start: Start, examples: Sequence[Example]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    tokenizer = finetune.load_tokenizer(start.tokenizer_folder())
    gold = np.array([example.label for example in examples], np.int64)
    texts = [example.text for example in examples]
    return gold, finetune.predict_logits(model, tokenizer, texts)


def _calibrate_engine(output: Path, corpus: Corpus) -> None:
    """Let the engine write its integer weights beside the checkpoint, from training texts."""
    try:
        quantise = importlib.import_module("udfs.sentiment.quantise")
    except ModuleNotFoundError as error:
        if error.name != "udfs.sentiment.quantise":
            raise
        log.warning("udfs.sentiment.quantise is not installed: no integer weights written")
        return
    step = max(1, len(corpus.train) // 1_000)
    quantise.calibrate(output, [example.text for example in corpus.train[::step]])


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m udfs.sentiment.training",
        description="Fine-tune, measure and export the sentiment model. A killed run goes on "
        "where it stopped when the same command is given again.",
    )
    parser.add_argument("--data", type=Path, help="folder laid out as training/data.py says")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help="own labels (columns text, label); training then starts from the embedded model",
    )
    parser.add_argument("--start", type=Path, help="checkpoint folder to start from instead")
    parser.add_argument(
        "--teacher",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="checkpoint of an earlier training, whose mean opinion (given several times) makes "
        "half of each target",
    )
    parser.add_argument("--name", default="minilm-distilbert-sentiment", help="revision name")
    parser.add_argument(
        "--runs",
        type=int,
        help="runs of each phase, averaged (default 2 from MiniLM, 1 from a trained checkpoint)",
    )
    parser.add_argument(
        "--epochs",
        type=float,
        help="passes over the data in the last phase (default 3, own labels 2)",
    )
    parser.add_argument("--threads", type=int, help="processor threads (default: torch's)")
    options = parser.parse_args(arguments)
    if options.data is None and not options.labels:
        parser.error("give --data FOLDER, --labels CSV or both")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    start = Start(options.start or (EMBEDDED if options.labels else None))
    is_new = start.checkpoint is None
    chosen = phases(is_new=is_new, epochs=options.epochs)
    runs = options.runs or (RUNS_FROM_MINILM if is_new else 1)
    try:
        corpus = load_corpus(options.data, options.labels)
        log.info("%d texts to train on", len(corpus.train))
        folder = options.output / "training"
        teacher = teach(
            options.teacher,
            corpus.train,
            max_length=chosen[0].max_length,
            cache=folder / "teacher.npz",
        )
        candidates = train_phases(start, corpus, chosen, runs=runs, folder=folder, teacher=teacher)
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    model = choose(start, corpus, candidates)
    epochs = " and then ".join(f"{settings.epochs:g}" for settings in chosen)
    note = (
        f"{runs} run(s) of {epochs} epochs: of these and their average, the one with the "
        "highest macro-recall on the validation texts."
    )
    if options.teacher:
        note += f" Half of each target is what {len(options.teacher)} teacher(s) said on average."
    finish(model, corpus, start, options.output, name=options.name, note=note)
    measured = json.loads((options.output / "model.json").read_text(encoding="utf-8"))["figures"]
    for part, values in measured.items():
        log.info("%s: %s", part, {key: value for key, value in values.items() if key != "texts"})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
