"""Any Hugging Face sequence classification checkpoint, through transformers and torch.

    hub:distilbert/distilbert-base-uncased-finetuned-sst-2-english@714eb0fa89d2f80546fda750413ed43d93601a13
    hub:FOLDER
    hub:NAME;labels=negative,neutral,positive;languages=en

`labels` says what the classes mean, in the order of their numbers, where their names do not.
`languages=en` refuses texts in other languages as the embedded model does; without it every text
is scored, since a checkpoint does not say what it reads. Float32 on a CPU, bfloat16 on a GPU.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from udfs.normalise import NORMALISER_REVISION
from udfs.sentiment.errors import SentimentError
from udfs.sentiment.languages import RULE_REVISION
from udfs.sentiment.session import batches_of_equal_length

HUB_REVISION = "1"  # raise it when this file changes what a text's score is
DOCUMENTED = (
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    "@714eb0fa89d2f80546fda750413ed43d93601a13"
)
LOW_CONFIDENCE_BELOW = 0.5
SIDES = ("negative", "neutral", "positive")
_LONGEST_WINDOW = 510
_TIMEOUT_SECONDS = 5.0

_NAMES = {
    "negative": {"negative", "neg", "n", "bad", "very negative", "1 star", "2 stars"},
    "neutral": {"neutral", "neu", "mixed", "3 stars"},
    "positive": {"positive", "pos", "p", "good", "very positive", "4 stars", "5 stars"},
}
_SIDE_OF_NAME = {name: side for side, names in _NAMES.items() for name in names}

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Request:
    """A parsed `hub:` setting."""

    name: str
    revision: str | None
    labels: tuple[str, ...]
    is_english_only: bool

    @property
    def folder(self) -> Path | None:
        """The local folder, if the name is one."""
        path = Path(self.name).expanduser()
        return path if path.is_dir() else None


def parse(spec: str) -> Request:
    """Read what follows `hub:`; raises `SentimentError` naming the part that is wrong."""
    name, *options = (part.strip() for part in spec.split(";"))
    labels: tuple[str, ...] = ()
    is_english_only = False
    for option in options:
        key, _, value = option.partition("=")
        if key == "labels":
            labels = tuple(label.strip().lower() for label in value.split(","))
            unknown = sorted(set(labels) - set(SIDES))
            if unknown:
                raise SentimentError(
                    f"hub:{spec}: {', '.join(unknown)} is no label.",
                    f"Labels are {', '.join(SIDES)}: one a class, in the order of its number.",
                )
        elif key == "languages" and value in {"en", "all"}:
            is_english_only = value == "en"
        else:
            raise SentimentError(
                f"hub:{spec}: unknown option {option!r}.",
                "Options are labels=negative,neutral,positive and languages=en or all.",
            )
    revision = None
    if not Path(name).expanduser().is_dir() and "@" in name:
        name, _, revision = name.partition("@")
    if not name:
        raise SentimentError("hub: names no model.", f"Say for instance hub:{DOCUMENTED}.")
    return Request(name, revision, labels, is_english_only)


def sides_of(id2label: dict[int, str], labels: Sequence[str], *, name: str) -> tuple[str, ...]:
    """Return the side of each class, by the setting or else by the checkpoint's own names.

    Five stars count as negative (1, 2), neutral (3), positive (4, 5). Raises `SentimentError`
    where the names say nothing (LABEL_0) or a side is missing.
    """
    names = [id2label[number] for number in sorted(id2label)]
    shown = ", ".join(f"{number}={label}" for number, label in sorted(id2label.items()))
    example = (
        f"hub:{name};labels={','.join(SIDES if len(names) == 3 else ('negative', 'positive'))}"
    )
    if labels:
        if len(labels) != len(names):
            raise SentimentError(
                f"{name} has {len(names)} classes ({shown}), the setting names {len(labels)}.",
                "Name one label for each class, in the order of its number.",
            )
        sides = tuple(labels)
    else:
        found = [_SIDE_OF_NAME.get(_plain(label)) for label in names]
        if None in found:
            raise SentimentError(
                f"{name}: what its classes mean cannot be told from their names ({shown}).",
                f"Say it, in the order of their numbers: {example}",
            )
        sides = tuple(side for side in found if side is not None)
    if not {"negative", "positive"} <= set(sides):
        raise SentimentError(
            f"{name} has no class for {'negative' if 'negative' not in sides else 'positive'} "
            f"({shown}).",
            "Use a sentiment classifier.",
        )
    return sides


def _plain(label: str) -> str:
    words = re.sub(r"[\s_-]+", " ", label.strip().lower())
    return re.sub(r"^([1-5]) ?stars?$", lambda m: f"{m[1]} star{'s' * (m[1] != '1')}", words)


def load_hub_model(spec: str, *, threads: int | None = None) -> HubModel:
    """Load a checkpoint by name or folder.

    Raises `SentimentError` if the extra is not installed, the hub or the model cannot be
    reached, the checkpoint has no classification head or its classes mean nothing known.
    """
    request = parse(spec)
    try:
        import torch
        import transformers
    except ImportError as error:
        raise SentimentError(
            f"models of the hub need torch and transformers ({error.name} is not installed).",
            "Run: pip install -e '.[hub]'",
        ) from None
    source, revision, is_local = _locate(request)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    previous = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options = {"revision": revision, "local_files_only": is_local}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
        model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
            source, use_safetensors=True, dtype=dtype, output_loading_info=True, **options
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise SentimentError(
            f"{request.name} cannot be loaded as a classifier: {first_line}",
            "The checkpoint needs config.json, model.safetensors and a tokenizer.",
        ) from None
    finally:
        transformers.logging.set_verbosity(previous)
    absent = sorted(report["missing_keys"]) + [str(key) for key in report["mismatched_keys"]]
    if absent:
        raise SentimentError(
            f"{request.name} has no trained classification head: {', '.join(absent[:4])} missing.",
            "Use a checkpoint that was fine-tuned for sentiment; this one would score at random.",
        )
    id2label = {int(number): str(label) for number, label in model.config.id2label.items()}
    sides = sides_of(id2label, request.labels, name=request.name)
    if threads is not None and device == "cpu":
        torch.set_num_threads(threads)
    return HubModel(
        request, model.to(device).eval(), tokenizer, sides, revision=_pin(model, source)
    )


def _locate(request: Request) -> tuple[str, str | None, bool]:
    """Return where to load from, the revision and whether it is on this machine already."""
    if request.folder is not None:
        return str(request.folder), None, True
    looks_like_path = request.name.startswith((".", "/", "~")) or request.name.count("/") > 1
    if looks_like_path:
        raise SentimentError(f"there is no folder {request.name}.", "Check the path after `hub:`.")
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = huggingface_hub.snapshot_download(
            request.name,
            revision=request.revision,
            local_files_only=True,
        )
        if any(Path(folder).glob("*.safetensors")):
            return request.name, request.revision, True
    except (OSError, ValueError):
        pass  # not here yet
    try:
        huggingface_hub.HfApi().model_info(
            request.name, revision=request.revision, timeout=_TIMEOUT_SECONDS
        )
    except errors.RevisionNotFoundError:
        raise SentimentError(
            f"{request.name} has no revision {request.revision}.", "Check what follows the @."
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise SentimentError(
            f"the hub knows no model {request.name}, or it needs a token.",
            "Check the name; for a private model set HF_TOKEN.",
        ) from None
    except Exception as error:  # noqa: BLE001
        # Whatever the HTTP client raises: the hub could not be asked, within five seconds.
        raise SentimentError(
            f"the model hub cannot be reached ({type(error).__name__}), and {request.name} is not "
            "on this machine.",
            "Copy the model's folder here and say hub:FOLDER, or use the embedded model.",
        ) from None
    return request.name, request.revision, False


def _pin(model: Any, source: str) -> str:  # noqa: ANN401
    """Return what identifies the weights: the commit, or the hash of a local file."""
    commit = getattr(model.config, "_commit_hash", None)
    if commit:
        return str(commit)[:12]
    digest = hashlib.sha256()
    for file in sorted(Path(source).glob("model*.safetensors")):
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


class HubModel:
    """A transformers classifier behind the interface of `udfs.sentiment.engine.Model`."""

    low_confidence_below = LOW_CONFIDENCE_BELOW

    def __init__(
        self,
        request: Request,
        model: Any,  # noqa: ANN401
        tokenizer: Any,  # noqa: ANN401
        sides: Sequence[str],
        *,
        revision: str,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self.has_neutral = "neutral" in sides
        self.is_english_only = request.is_english_only
        self._fold = np.zeros((len(sides), 3), np.float32)
        for number, side in enumerate(sides):
            self._fold[number, SIDES.index(side)] = 1.0
        self._before, self._after = _special_tokens(tokenizer)
        marks = len(self._before) + len(self._after)
        positions = getattr(model.config, "max_position_embeddings", 512) or 512
        longest = min(int(tokenizer.model_max_length), int(positions), _LONGEST_WINDOW + marks)
        # RoBERTa counts positions from the padding id on: two fewer than it seems.
        family = getattr(model.config, "model_type", "")
        offset = 2 if family in {"roberta", "xlm-roberta", "camembert"} else 0
        self.window_tokens = max(1, longest - marks - offset)
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(request.name).name).strip("-.") or "model"
        dtype = str(model.dtype).removeprefix("torch.")
        meaning = hashlib.sha256(",".join(sides).encode()).hexdigest()[:4]
        languages = f"-l{RULE_REVISION}" if self.is_english_only else ""
        rules = f"h{HUB_REVISION}{languages}-n{NORMALISER_REVISION}"
        self.revision = f"hub-{name}-{revision}-{dtype}-{meaning}-{rules}"

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of normalised texts, without special tokens."""
        if not texts:
            return []
        encoded = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def probabilities(self, token_windows: Sequence[Sequence[int]]) -> Floats:
        """Return negative, neutral, positive for each window: shape (windows, 3)."""
        import torch

        result = np.zeros((len(token_windows), 3), np.float32)
        # Texts of one length together: no padding, so that neighbours do not matter here either.
        for indices in batches_of_equal_length(token_windows):
            rows = [[*self._before, *token_windows[index], *self._after] for index in indices]
            ids = torch.tensor(rows, device=self._model.device)
            with torch.inference_mode():
                logits = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            shares = torch.softmax(logits.float(), dim=-1).cpu().numpy()
            result[indices] = shares @ self._fold
        return result


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401
    """Return what the tokenizer puts before and after a text."""
    bare = list(tokenizer("good", add_special_tokens=False)["input_ids"])
    full = list(tokenizer("good")["input_ids"])
    for start in range(len(full) - len(bare) + 1):
        if bare and full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    return [], []
