"""Fine-tuning on tweets, sentences and reviews together.

Each source has its own share of the three classes, and a review has no neutral one. The
loss is therefore adjusted per source (Menon et al. 2021, "Long-tail learning via logit
adjustment"): cross-entropy over `logits + log prior(source)`. What the bare logits then
say is the class as if all three were equally frequent, which is what macro-recall asks,
and a review never teaches that sentences are not neutral.

The weights that count are an exponential moving average over the steps. Every random
choice follows from seed, epoch and step, so that a run that was killed and resumed ends
with the same weights as one that was not.

Labels of single annotators are noisy. With a teacher (weights that were trained before, or
the mean of several) half of each target is what the teacher says of the text (Furlanello et
al. 2018, "Born-Again Neural Networks").
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import DistilBertForSequenceClassification

from udfs.normalise import normalise
from udfs.sentiment.training import emoji_lexicon
from udfs.sentiment.training.data import NEGATIVE, NEUTRAL, POSITIVE, Example

log = logging.getLogger(__name__)

N_LABELS = 3
NOTHING_FROZEN = -1  # a value of Settings.frozen_layers


@dataclass(frozen=True)
class Settings:
    """Choices of one run; the defaults are those of the last phase of the shipped model."""

    seed: int = 1
    epochs: float = 3.0
    learning_rate: float = 5e-5
    layer_decay: float = 0.9  # rate of a layer over the rate of the next higher one
    head_rate_factor: float = 5.0
    warmup_share: float = 0.06
    final_rate_share: float = 0.05
    weight_decay: float = 0.01
    frozen_layers: int = NOTHING_FROZEN  # besides the embeddings; 0: these alone
    dropout: float = 0.1
    token_dropout: float = 0.0  # share of word pieces replaced by [MASK]
    label_smoothing: float = 0.05
    teacher_share: float = 0.5  # of the target, for texts that a teacher has read
    tokens_per_batch: int = 1536
    max_length: int = 96
    average_decay: float = 0.999
    checkpoint_every: int = 200  # steps
    repeats: dict[str, int] = field(
        default_factory=lambda: {
            "sst": 4,
            "reviews_custrev": 4,
            "reviews_amazon": 3,
            "reviews_yelp": 3,
            "reviews_imdb": 3,
        }
    )
    emoji_share: float = 0.08  # of tweets that get emoji appended
    emoji_only: int = 600  # examples of emoji alone in each epoch


@dataclass(frozen=True)
class Batch:
    """Padded word pieces: `ids`, `mask` (texts, length); `log_prior`, `target` (texts, 3)."""

    ids: torch.Tensor
    mask: torch.Tensor
    target: torch.Tensor
    log_prior: torch.Tensor


def log_priors(examples: Sequence[Example]) -> dict[str, npt.NDArray[np.float32]]:
    """Log share of each class by source, shape (3,); -inf for a class a source lacks."""
    counts: dict[str, Counter[int]] = {}
    for example in examples:
        counts.setdefault(example.source, Counter())[example.label] += 1
    with np.errstate(divide="ignore"):
        return {
            source: np.log(
                np.array([count[label] for label in range(N_LABELS)], np.float32) / count.total()
            )
            for source, count in counts.items()
        }


def epoch_examples(examples: Sequence[Example], settings: Settings, epoch: int) -> list[Example]:
    """The examples of an epoch: each as often as its source says, and emoji lessons."""
    draw = random.Random(f"emoji {settings.seed} {epoch}")  # noqa: S311 (no secret)
    chosen: list[Example] = []
    for example in examples:
        for _ in range(settings.repeats.get(example.source, 1)):
            taught = example
            if example.source.startswith("tweets") and draw.random() < settings.emoji_share:
                taught = _with_emoji(example, draw)
            chosen.append(taught)
    trained = {label: text.split() for label, text in emoji_lexicon.TRAINED.items()}
    for number in range(settings.emoji_only):
        label = number % N_LABELS
        pieces = draw.choices(trained[label], k=draw.choice((1, 1, 1, 2, 2, 3)))
        if label != NEUTRAL and draw.random() < 0.2:
            pieces.insert(draw.randint(0, len(pieces)), draw.choice(trained[NEUTRAL]))
        chosen.append(Example(normalise(" ".join(pieces)), label, "emoji"))
    return chosen


def _with_emoji(example: Example, draw: random.Random) -> Example:
    """Append emoji; on a neutral tweet a strong emoji decides what the post says."""
    shown = example.label
    if example.label == NEUTRAL:
        shown = draw.choice((NEGATIVE, NEUTRAL, NEUTRAL, POSITIVE))
    pieces = draw.choices(emoji_lexicon.TRAINED[shown].split(), k=draw.choice((1, 1, 2, 3)))
    text = normalise(f"{example.text} {''.join(pieces)}")
    return Example(text, shown, example.source)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer of a checkpoint, without the truncation some carry."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int) -> list[list[int]]:
    """Word piece ids with [CLS] and [SEP], at most `max_length` of them."""
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    return [ids if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]] for ids in encoded]


def batches_by_length(lengths: Sequence[int], *, tokens: int, key: str) -> list[list[int]]:
    """Indices in batches of similar length, at most `tokens` with padding, in random order."""
    draw = random.Random(key)  # noqa: S311 (no secret)
    order = list(range(len(lengths)))
    draw.shuffle(order)
    batches: list[list[int]] = []
    pool = 4096  # sorted piecewise: batches stay random, padding stays small
    for start in range(0, len(order), pool):
        batch: list[int] = []
        for index in sorted(order[start : start + pool], key=lambda i: lengths[i]):
            if batch and (len(batch) + 1) * lengths[index] > tokens:
                batches.append(batch)
                batch = []
            batch.append(index)
        if batch:
            batches.append(batch)
    draw.shuffle(batches)
    return batches


def pad(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of shape (rows, longest row)."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy against `batch.target` under the source's class shares."""
    log_probabilities = torch.log_softmax(logits.float() + batch.log_prior, dim=-1)
    # A class the source lacks has target 0 and log probability -inf: their product is 0.
    terms = torch.where(batch.target > 0, batch.target * log_probabilities, 0.0)
    return -terms.sum(dim=-1).mean()


def targets(
    labels: npt.NDArray[np.int64], priors: npt.NDArray[np.float32], settings: Settings
) -> npt.NDArray[np.float32]:
    """Smoothed labels, shape (n, 3), without anything for the classes that a source lacks."""
    allowed = np.isfinite(priors)
    hard = np.eye(N_LABELS, dtype=np.float32)[labels]
    smooth = allowed / allowed.sum(axis=1, keepdims=True)
    target = (1 - settings.label_smoothing) * hard + settings.label_smoothing * smooth
    result: npt.NDArray[np.float32] = target.astype(np.float32)
    return result


def taught_targets(
    target: npt.NDArray[np.float32],
    priors: npt.NDArray[np.float32],
    lessons: Sequence[npt.NDArray[np.float32] | None],
    settings: Settings,
) -> npt.NDArray[np.float32]:
    """Mix into `target` (n, 3) what the teacher's logits say under the source's class shares.

    `lessons` has the logits of each text, or None where the teacher has not read it.
    """
    result = target.copy()
    for index, logits in enumerate(lessons):
        if logits is None:
            continue
        adjusted = logits + priors[index]
        weights = np.exp(adjusted - adjusted.max())
        taught = weights / weights.sum()
        share = settings.teacher_share
        result[index] = (1 - share) * target[index] + share * taught
    return result


def parameter_groups(
    model: DistilBertForSequenceClassification, settings: Settings
) -> list[dict[str, Any]]:
    """Freeze embeddings and lower layers; lower rates for lower layers; no decay for biases."""
    n_layers = model.config.n_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("distilbert.embeddings."):
            layer = -1
        elif name.startswith("distilbert.transformer.layer."):
            layer = int(name.split(".")[3])
        else:
            layer = n_layers
        if layer < settings.frozen_layers:
            parameter.requires_grad = False
            continue
        factor = (
            settings.head_rate_factor
            if layer == n_layers
            else settings.layer_decay ** (n_layers - 1 - layer)
        )
        decay = 0.0 if parameter.ndim < 2 else settings.weight_decay
        groups.setdefault((factor, decay), []).append(parameter)
    return [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def rate_factor(step: int, total: int, settings: Settings) -> float:
    """Linear warm-up, then a cosine down to `final_rate_share`."""
    warmup = max(1, round(total * settings.warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    low = settings.final_rate_share
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress))


@torch.inference_mode()  # type: ignore[untyped-decorator]
def predict_logits(
    model: DistilBertForSequenceClassification,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    *,
    max_length: int = 128,
    tokens_per_batch: int = 4096,
) -> npt.NDArray[np.float32]:
    """Bare logits of normalised texts, shape (texts, 3), in the order given."""
    model.eval()
    encoded = encode(tokenizer, texts, max_length=max_length)
    logits = np.empty((len(texts), N_LABELS), np.float32)
    lengths = [len(ids) for ids in encoded]
    for batch in batches_by_length(lengths, tokens=tokens_per_batch, key="predict"):
        ids, mask = pad([encoded[index] for index in batch])
        logits[batch] = model(input_ids=ids, attention_mask=mask).logits.float().numpy()
    return logits


class Run:
    """One training: its model, optimiser, averaged weights and the step it has reached."""

    def __init__(
        self,
        *,
        model: DistilBertForSequenceClassification,
        tokenizer: Tokenizer,
        examples: Sequence[Example],
        settings: Settings,
        folder: Path,
        teacher: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        """`teacher` has the logits, shape (3,), of texts that a teacher has read."""
        self.model = model
        self.teacher = teacher or {}
        self.tokenizer = tokenizer
        self.examples = examples
        self.settings = settings
        self.folder = folder
        self.step = 0
        self.priors = log_priors(examples)
        self.priors["emoji"] = np.full(N_LABELS, -math.log(N_LABELS), np.float32)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = settings.dropout
        for block in model.distilbert.transformer.layer:
            # Dropout inside attention keeps torch from its fused kernel: 1.3x slower.
            block.attention.dropout.p = 0.0
        model.config.attention_dropout = 0.0
        groups = parameter_groups(model, settings)
        self.optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True
        )
        self.average = {
            name: parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }
        self._epoch = -1
        self._batches: list[list[int]] = []
        self._rows: list[list[int]] = []
        self._target: npt.NDArray[np.float32] = np.empty((0, N_LABELS), np.float32)
        self._prior: npt.NDArray[np.float32] = np.empty((0, N_LABELS), np.float32)
        self._epoch_sizes = self._prepare(0)
        self.total_steps = max(1, round(self._epoch_sizes * settings.epochs))

    def train(self, *, until: int | None = None) -> None:
        """Go on to step `until` (default: the end), with a checkpoint every so many steps."""
        end = min(self.total_steps, until or self.total_steps)
        parameters = dict(self.model.named_parameters())
        started, first, recent = time.monotonic(), self.step, 0.0
        while self.step < end:
            batch = self._batch(self.step)
            self._train_mode()
            # Seeded by step: a resumed run draws the same dropout as an unbroken one.
            torch.manual_seed(self.settings.seed * 1_000_003 + self.step)
            if self.settings.token_dropout > 0:
                batch = self._drop_tokens(batch)
            loss = loss_of(self.model(input_ids=batch.ids, attention_mask=batch.mask).logits, batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            factor = rate_factor(self.step, self.total_steps, self.settings)
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * factor * group["factor"]
            self.optimizer.step()
            self.step += 1
            decay = min(self.settings.average_decay, self.step / (self.step + 10))
            names = list(self.average)
            torch._foreach_lerp_(
                [self.average[name] for name in names],
                [parameters[name].detach() for name in names],
                1 - decay,
            )
            recent += loss.item()
            if self.step % 50 == 0:
                rate = (self.step - first) / (time.monotonic() - started)
                log.info(
                    "step %d/%d, loss %.4f, %.2f steps/s, %.0f minutes left",
                    self.step,
                    self.total_steps,
                    recent / 50,
                    rate,
                    (end - self.step) / rate / 60,
                )
                recent = 0.0
            if self.step % self.settings.checkpoint_every == 0 or self.step == end:
                self.save()

    def averaged_state(self) -> dict[str, torch.Tensor]:
        """The model's state with the moving averages in place of the last weights."""
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()} | {
            name: tensor.clone() for name, tensor in self.average.items()
        }

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "training.pt"
        state = {
            "step": self.step,
            "identity": self._identity(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
        }
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def resume(self) -> bool:
        """Continue from the folder's checkpoint; False if there is none.

        Raises `ValueError` if it belongs to other data or settings.
        """
        path = self.folder / "training.pt"
        if not path.is_file():
            return False
        state = torch.load(path, weights_only=True)
        if state["identity"] != self._identity():
            raise ValueError(
                f"{path} comes from other data or settings: delete it or choose another --output"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.step = state["step"]
        log.info("resumed at step %d of %d", self.step, self.total_steps)
        return True

    def _identity(self) -> str:
        digest = hashlib.sha256(repr(sorted(asdict(self.settings).items())).encode())
        for example in self.examples:
            digest.update(f"{example.label} {example.text}\n".encode())
            if example.text in self.teacher:
                digest.update(self.teacher[example.text].astype(np.float32).tobytes())
        return digest.hexdigest()

    def _prepare(self, epoch: int) -> int:
        """Build the batches of an epoch; returns their number."""
        if epoch == self._epoch:
            return len(self._batches)
        chosen = epoch_examples(self.examples, self.settings, epoch)
        self._rows = encode(
            self.tokenizer,
            [example.text for example in chosen],
            max_length=self.settings.max_length,
        )
        self._prior = np.stack([self.priors[example.source] for example in chosen])
        labels = np.array([example.label for example in chosen], np.int64)
        self._target = taught_targets(
            targets(labels, self._prior, self.settings),
            self._prior,
            [self.teacher.get(example.text) for example in chosen],
            self.settings,
        )
        self._batches = batches_by_length(
            [len(row) for row in self._rows],
            tokens=self.settings.tokens_per_batch,
            key=f"batches {self.settings.seed} {epoch}",
        )
        self._epoch = epoch
        return len(self._batches)

    def _batch(self, step: int) -> Batch:
        # Epochs differ by a few batches: the first one's count is the measure of all.
        epoch, position = divmod(step, self._epoch_sizes)
        self._prepare(epoch)
        indices = self._batches[position % len(self._batches)]
        ids, mask = pad([self._rows[index] for index in indices])
        return Batch(
            ids=ids,
            mask=mask,
            target=torch.from_numpy(self._target[indices]),
            log_prior=torch.from_numpy(self._prior[indices]),
        )

    def _drop_tokens(self, batch: Batch) -> Batch:
        special = (batch.ids <= 103) & (batch.ids != 100)
        dropped = (torch.rand(batch.ids.shape) < self.settings.token_dropout) & ~special
        mask_id = self.tokenizer.token_to_id("[MASK]")
        return Batch(
            ids=batch.ids.masked_fill(dropped, mask_id),
            mask=batch.mask,
            target=batch.target,
            log_prior=batch.log_prior,
        )

    def _train_mode(self) -> None:
        self.model.train()
        if self.settings.frozen_layers > 0:
            self.model.distilbert.embeddings.eval()
            for block in self.model.distilbert.transformer.layer[: self.settings.frozen_layers]:
                block.eval()
