"""Training on toy data and a toy model: readers' quirks, resuming, seeds, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, DistilBertForSequenceClassification

from udfs.normalise import normalise
from udfs.sentiment.training import __main__ as command
from udfs.sentiment.training import card, emoji_lexicon, export, finetune, minilm
from udfs.sentiment.training.data import (
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Corpus,
    Example,
    decode_escapes,
    is_held_out,
    load_corpus,
    read_own_labels,
    read_prefixed,
    read_semeval,
    read_steam,
    read_tabbed_reviews,
    text_sha256,
    untokenise,
)

WORDS = [
    *("good", "great", "bad", "awful", "the", "a", "is", "it", "was", "day", "shop"),
    *("red", "heart", "thumbs", "up", "down", "face"),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A toy checkpoint in the shipped layout: 2 layers of 16, a vocabulary of words."""
    folder = tmp_path / "start"
    folder.mkdir()
    pieces = ["[PAD]", *(f"[unused{number}]" for number in range(99))]
    pieces += ["[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    index = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(index, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    torch.manual_seed(0)
    config = minilm.distilbert_config(
        vocab_size=len(pieces), dim=16, n_layers=2, n_heads=2, hidden_dim=32
    )
    model = DistilBertForSequenceClassification(config)
    export.write_checkpoint(model, tokenizer, folder / "vocab.txt", folder)
    return folder


def toy_examples(count: int = 120) -> list[Example]:
    kinds = [("good great", POSITIVE), ("bad awful", NEGATIVE), ("the day", NEUTRAL)]
    examples = []
    for number in range(count):
        words, label = kinds[number % 3]
        text = f"{words} {' '.join(WORDS[(number + i) % 4 + 4] for i in range(number % 7))}"
        examples.append(Example(text, label, "tweets_2016"))
    return examples


def settings(**changes: object) -> finetune.Settings:
    defaults: dict[str, object] = {
        "epochs": 2.0,
        "learning_rate": 3e-3,
        "frozen_layers": 0,
        "tokens_per_batch": 128,
        "average_decay": 0.9,
        "checkpoint_every": 3,
        "emoji_only": 6,
    }
    return finetune.Settings(**(defaults | changes))  # type: ignore[arg-type]


def new_run(
    start: Path,
    folder: Path,
    chosen: finetune.Settings,
    teacher: dict[str, np.ndarray] | None = None,
) -> finetune.Run:
    return finetune.Run(
        model=command.Start(start).model(),
        tokenizer=finetune.load_tokenizer(start),
        examples=toy_examples(),
        settings=chosen,
        folder=folder,
        teacher=teacher,
    )


def equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


# --- readers ---------------------------------------------------------------------------


def test_escapes_are_decoded() -> None:
    assert decode_escapes(r"Awareness Day\u2019s\u002c ok \"so\"") == 'Awareness Day’s, ok "so"'
    assert decode_escapes(r"C:\users") == r"C:\users"


def test_semeval_quirks(tmp_path: Path) -> None:
    (tmp_path / "twitter-2016test-A.tsv").write_text(
        '1\tpositive\t"Said ""yes"" @bob http://t.co/x"\t\n'
        "2\tneutral\tNot Available\n"
        "3\tnegative\tDay\\u2019s over\x85 really\n"
        "4\tmixed\tno such label\n"
        "5\tneutral\t@bob http://t.co/y\n",
        encoding="utf-8",
    )
    assert list(read_semeval(tmp_path)) == [
        Example('Said "yes" @user http', POSITIVE, "tweets_2016"),
        Example("Day's over really", NEGATIVE, "tweets_2016"),
    ]


def test_reviews_end_in_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "amazon_cells_labelled.txt"
    path.write_bytes(b'No way\tto plug it in.\t0\r"Good case, fine."\t1\rbroken record\r\n')
    assert list(read_tabbed_reviews(path)) == [
        Example("No way to plug it in.", NEGATIVE, "reviews_amazon"),
        Example("Good case, fine.", POSITIVE, "reviews_amazon"),
    ]


def test_prefixed_classes_and_tokenised_words(tmp_path: Path) -> None:
    path = tmp_path / "stsa.fine.train"
    path.write_bytes("0 it 's n't fun .\n2 caf\u00e9 -lrb- 1999 -rrb-\n4 superb !\n9 ?\n".encode())
    read = list(read_prefixed(path, (0, 0, 1, 2, 2), "sst"))
    assert [example.label for example in read] == [NEGATIVE, NEUTRAL, POSITIVE]
    assert read[2].text == "superb!"
    assert untokenise("they do n't , ( it 's ) ok .") == "they don't, (it's) ok."


def test_steam_reviews_begin_below_their_totals(tmp_path: Path) -> None:
    (tmp_path / "game.csv").write_text(
        ",1048640,,,,,,Reviews,\n,,english,3,1,2,33%,,\n"
        "Review ID,Language,Created,Up,Purchased,Score,Upvotes,Review text (Original),Other\n"
        '1,english,2025.00.19,✅,✅,0.5,0,"[h1]Fine[/h1] little game, bought twice",x\n'
        "2,english,2025.00.19,❌,✅,0.5,0,a waste of money,x\n"
        "3,german,2025.00.19,❌,✅,0.5,0,das ist nicht gut,not good at all\n"
        "4,english,2025.00.19,✅,✅,0.5,0,very good,very good\n"
        f"5,english,2025.00.19,✅,✅,0.5,0,{'long ' * 41},x\n",
        encoding="utf-8",
    )
    (tmp_path / "other.csv").write_text("no,reviews\n", encoding="utf-8")
    assert list(read_steam(tmp_path)) == [
        Example("a waste of money", NEGATIVE, "steam"),
        Example("Fine little game, bought twice", POSITIVE, "steam"),
    ]


def test_own_labels_name_their_faults(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\nLove it,Positive\nfine,1\n", encoding="utf-8-sig")
    assert [example.label for example in read_own_labels(path)] == [POSITIVE, NEUTRAL]
    path.write_text("text,label\nLove it,great\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2: label 'great'"):
        list(read_own_labels(path))
    path.write_text("body,label\nx,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column text"):
        list(read_own_labels(path))


def test_no_evaluation_text_is_trained_on(tmp_path: Path) -> None:
    validation = tmp_path / "tweeteval_val"
    validation.mkdir()
    long = "the one and only match report of the evening by a man who saw it all"
    validation.joinpath("val_text.txt").write_text(f"@user Go team! http\n{long}\n")
    validation.joinpath("val_labels.txt").write_text("2\n1\n")
    (tmp_path / "semeval").mkdir()
    (tmp_path / "semeval" / "twitter-2013train-A.tsv").write_text(
        f"1\tpositive\t@bob GO team https://t.co/q\n2\tneutral\t{long} MT @ann\n"
        "3\tpositive\tsomething else\n4\tnegative\tContradicted!\n5\tpositive\tcontradicted\n"
        "6\tneutral\tSomething else\n7\tneutral\ta third\n"
    )
    (tmp_path / "reviews").mkdir()
    lines = [f"1 fine thing number {number}" for number in range(50)]
    (tmp_path / "reviews" / "custrev.all").write_text("\n".join(lines))
    corpus = load_corpus(tmp_path)
    tweets = [example.text for example in corpus.train if example.source.startswith("tweets")]
    assert tweets == ["a third"]
    held = {example.text for example in corpus.evaluation["reviews_custrev"]}
    trained = {example.text for example in corpus.train}
    assert held
    assert not held & trained
    assert len(held | trained - {"a third"}) == 50
    assert all(is_held_out(text) for text in held)


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no labelled text"):
        load_corpus(tmp_path)


# --- weights ---------------------------------------------------------------------------


def test_mapping_keeps_hidden_states_on_a_toy_bert() -> None:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    bert = BertModel(config).eval()
    ours = minilm.distilbert_config(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    model = DistilBertForSequenceClassification(ours).eval()
    model.distilbert.load_state_dict(minilm.map_state(dict(bert.state_dict())), strict=True)
    assert _hidden_difference(bert, model, vocabulary=50) < 5e-6


def test_mapping_keeps_hidden_states_of_minilm() -> None:
    bert = BertModel.from_pretrained(minilm.package_folder(), dtype=torch.float32).eval()
    model = minilm.from_minilm(seed=0).eval()
    assert _hidden_difference(bert, model, vocabulary=30_522) < 5e-6


def _hidden_difference(
    bert: BertModel, model: DistilBertForSequenceClassification, *, vocabulary: int
) -> float:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, vocabulary, (4, 20), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    with torch.no_grad():
        theirs = bert(ids, attention_mask=mask).last_hidden_state
        ours = model.distilbert(ids, attention_mask=mask).last_hidden_state
    return float((theirs - ours)[mask.bool()].abs().max())


def test_mapping_refuses_unknown_tensors() -> None:
    state = {
        "embeddings.token_type_embeddings.weight": torch.zeros(2, 4),
        "encoder.layer.0.attention.self.rotary": torch.zeros(4),
    }
    with pytest.raises(ValueError, match="no counterpart"):
        minilm.map_state({**state, "encoder.layer.0.attention.self.rotary.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="not a BERT"):
        minilm.map_state({"embeddings.position_embeddings.weight": torch.zeros(2, 4)})


# --- loss ------------------------------------------------------------------------------


def test_loss_is_adjusted_by_the_share_of_classes_in_the_source() -> None:
    examples = [Example(str(number), POSITIVE, "r") for number in range(3)]
    examples.append(Example("x", NEGATIVE, "r"))
    prior = finetune.log_priors(examples)["r"]
    assert np.allclose(np.exp(prior), [0.25, 0.0, 0.75])
    target = finetune.targets(np.array([POSITIVE]), prior[None], settings(label_smoothing=0.1))
    assert np.allclose(target, [[0.05, 0.0, 0.95]])  # nothing for the class reviews lack
    logits = torch.tensor([[0.3, 7.0, -0.2]], requires_grad=True)
    batch = finetune.Batch(
        ids=torch.zeros(1, 1),
        mask=torch.ones(1, 1),
        target=torch.from_numpy(target),
        log_prior=torch.from_numpy(prior[None]),
    )
    loss = finetune.loss_of(logits, batch)
    negative, positive = 0.25 * np.exp(0.3), 0.75 * np.exp(-0.2)
    expected = -(0.05 * np.log(negative) + 0.95 * np.log(positive)) + np.log(negative + positive)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, NEUTRAL] == 0


def test_a_teacher_has_half_a_say_under_the_shares_of_the_source() -> None:
    prior = np.log(np.array([[0.25, 1e-45, 0.75]] * 2, np.float32))
    prior[:, NEUTRAL] = -np.inf
    target = np.array([[0.0, 0.0, 1.0]] * 2, np.float32)
    lesson = np.array([np.log(3.0), 9.0, 0.0], np.float32)  # 3 * .25 against 1 * .75
    mixed = finetune.taught_targets(target, prior, [lesson, None], settings(teacher_share=0.5))
    assert np.allclose(mixed, [[0.25, 0.0, 0.75], [0.0, 0.0, 1.0]])


# --- training --------------------------------------------------------------------------


def test_batches_cover_all_texts_within_their_budget() -> None:
    lengths = [number % 40 + 3 for number in range(500)]
    batches = finetune.batches_by_length(lengths, tokens=128, key="x")
    assert sorted(index for batch in batches for index in batch) == list(range(500))
    assert max(len(batch) * max(lengths[i] for i in batch) for batch in batches) <= 128
    assert batches != finetune.batches_by_length(lengths, tokens=128, key="y")


def test_a_killed_training_goes_on_as_if_nothing_had_happened(start: Path, tmp_path: Path) -> None:
    chosen = settings(token_dropout=0.1)
    whole = new_run(start, tmp_path / "whole", chosen)
    assert whole.total_steps > 12
    whole.train()
    killed = new_run(start, tmp_path / "killed", chosen)
    killed.train(until=7)
    continued = new_run(start, tmp_path / "killed", chosen)
    assert continued.resume()
    assert continued.step == 7
    continued.train()
    assert equal(whole.averaged_state(), continued.averaged_state())
    assert equal(dict(whole.model.state_dict()), dict(continued.model.state_dict()))


def test_seeded_runs_are_equal_and_other_seeds_are_not(start: Path, tmp_path: Path) -> None:
    states = []
    for number, seed in enumerate((1, 1, 2)):
        run = new_run(start, tmp_path / str(number), settings(seed=seed))
        run.train()
        states.append(run.averaged_state())
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])


def test_a_checkpoint_of_other_settings_is_refused(start: Path, tmp_path: Path) -> None:
    run = new_run(start, tmp_path / "run", settings())
    assert not run.resume()
    run.train(until=3)
    with pytest.raises(ValueError, match="other data or settings"):
        new_run(start, tmp_path / "run", settings(seed=9)).resume()


def test_what_a_teacher_says_is_learned_kept_and_part_of_the_run(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = toy_examples()
    cache = tmp_path / "training" / "teacher.npz"
    heard = command.teach([start, start], examples, max_length=96, cache=cache)
    tokenizer, texts = finetune.load_tokenizer(start), [example.text for example in examples]
    alone = finetune.predict_logits(command.Start(start).model(), tokenizer, texts)
    assert np.allclose(np.stack([heard[text] for text in texts]), alone, atol=1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(finetune, "predict_logits", lambda *_, **__: pytest.fail("read twice"))
        again = command.teach([start, start], examples, max_length=96, cache=cache)
    assert all((again[text] == heard[text]).all() for text in texts)
    assert command.teach([], examples, max_length=96, cache=cache) == {}

    contrary = {example.text: np.eye(3, dtype=np.float32)[NEUTRAL] * 9 for example in examples}
    chosen = settings(epochs=15.0, teacher_share=1.0, emoji_only=0, emoji_share=0.0)
    runs = []
    for number, teacher in enumerate((contrary, {})):
        run = new_run(start, tmp_path / str(number), chosen, teacher)
        run.train()
        runs.append(finetune.predict_logits(run.model, tokenizer, texts).argmax(axis=1))
    assert (runs[0] == NEUTRAL).mean() > 0.9
    assert (runs[1] == NEUTRAL).mean() < 0.5
    with pytest.raises(ValueError, match="other data or settings"):
        new_run(start, tmp_path / "0", chosen).resume()


def test_the_average_of_a_phase_joins_the_teachers_of_the_next(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Corpus(train=toy_examples(), evaluation={})
    begun = command.Start(start)
    known = {toy_examples()[0].text: np.array([4.0, 0.0, -4.0], np.float32)}
    state = begun.model().state_dict()
    heard = command.teach_by_average(
        begun, state, corpus.train, known, max_length=96, cache=tmp_path / "said.npz"
    )
    texts = [example.text for example in corpus.train]
    own = finetune.predict_logits(begun.model(), finetune.load_tokenizer(start), texts)
    assert np.allclose(heard[texts[0]], (own[0] + known[texts[0]]) / 2, atol=1e-6)
    others = [number for number, text in enumerate(texts) if text != texts[0]]
    assert np.allclose([heard[texts[number]] for number in others], own[others], atol=1e-6)

    teachers: list[int] = []
    prepare = finetune.taught_targets

    def noted(target: np.ndarray, priors: np.ndarray, lessons: list, chosen: finetune.Settings):
        teachers.append(sum(lesson is not None for lesson in lessons))
        return prepare(target, priors, lessons, chosen)

    monkeypatch.setattr(finetune, "taught_targets", noted)
    phases = [settings(epochs=1.0, emoji_only=0, emoji_share=0.0)] * 2
    folder = tmp_path / "training"
    first = command.train_phases(begun, corpus, phases, runs=2, folder=folder)
    assert teachers == [0, 0, len(texts), len(texts)]
    assert len(first) == 3
    assert not equal(first[1], first[2])
    monkeypatch.setattr(finetune, "predict_logits", lambda *_, **__: pytest.fail("read twice"))
    (folder / "phase2_run2" / "training.pt").unlink()
    again = command.train_phases(begun, corpus, phases, runs=2, folder=folder)
    assert all(equal(left, right) for left, right in zip(first, again, strict=True))


def test_frozen_layers_stay(start: Path, tmp_path: Path) -> None:
    run = new_run(start, tmp_path / "run", settings(frozen_layers=1))
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.train(until=3)
    changed = {
        name for name, tensor in run.averaged_state().items() if (tensor != before[name]).any()
    }
    assert changed
    assert all("embeddings" not in name and "layer.0." not in name for name in changed)


def test_training_learns_the_toy_task(start: Path, tmp_path: Path) -> None:
    run = new_run(start, tmp_path / "run", settings(epochs=30.0))
    run.train()
    run.model.load_state_dict(run.averaged_state())
    examples = toy_examples()
    logits = finetune.predict_logits(
        run.model, run.tokenizer, [example.text for example in examples]
    )
    gold = np.array([example.label for example in examples])
    assert (logits.argmax(axis=1) == gold).mean() > 0.95


# --- emoji -----------------------------------------------------------------------------


def test_held_out_emoji_are_never_trained_on() -> None:
    trained = {e for text in emoji_lexicon.TRAINED.values() for e in normalised(text)}
    held = {e for text in emoji_lexicon.HELD_OUT.values() for e in normalised(text)}
    assert len(held) >= 25
    assert not trained & held
    assert len(trained) == sum(len(text.split()) for text in emoji_lexicon.TRAINED.values())


def normalised(emoji: str) -> list[str]:
    names = [normalise(piece) for piece in emoji.split()]
    assert all(name and name.isascii() for name in names)
    return names


def test_an_epoch_has_emoji_lessons_and_repeats() -> None:
    examples = [Example(f"post {n}", n % 3, "tweets_2016") for n in range(300)]
    examples += [Example("nice film", POSITIVE, "sst")]
    chosen = settings(emoji_share=0.5, emoji_only=30, repeats={"sst": 3})
    taught = finetune.epoch_examples(examples, chosen, 0)
    assert len(taught) == 300 + 3 + 30
    assert taught == finetune.epoch_examples(examples, chosen, 0)
    assert taught != finetune.epoch_examples(examples, chosen, 1)
    by_number = {example.text.split()[1]: example for example in examples}
    lessons = [e for e in taught[:300] if e.text not in {example.text for example in examples}]
    assert 100 < len(lessons) < 200
    for lesson in lessons:
        original = by_number[lesson.text.split()[1]]
        assert lesson.text.startswith(original.text + " ")
        assert original.label in (lesson.label, NEUTRAL)
    assert {example.source for example in taught[303:]} == {"emoji"}


def test_a_trained_checkpoint_bears_smaller_steps_only() -> None:
    first, new = command.phases(is_new=True, epochs=None)
    assert first.learning_rate > new.learning_rate
    assert first.epochs < new.epochs
    assert command.phases(is_new=True, epochs=1.5)[1].epochs == 1.5
    model = DistilBertForSequenceClassification(
        minilm.distilbert_config(vocab_size=120, dim=8, n_layers=3, n_heads=2, hidden_dim=8)
    )
    finetune.parameter_groups(model, new)
    assert all(parameter.requires_grad for parameter in model.parameters())
    (own,) = command.phases(is_new=False, epochs=1.0)
    assert own.epochs == 1.0
    assert own.learning_rate < new.learning_rate
    assert own.frozen_layers == 2


# --- export ----------------------------------------------------------------------------


def test_temperature_recovers_overconfidence() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 1.5, (4000, 3)).astype(np.float32)
    cumulated = export.probabilities(logits).cumsum(axis=1)
    gold = (random.random((4000, 1)) > cumulated).sum(axis=1).clip(0, 2)
    assert export.best_temperature(gold, logits * 2) == pytest.approx(2, rel=0.06)


def test_averages_and_halves(start: Path) -> None:
    states = [{"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([3.0, 5.0])}]
    assert export.average_states(states)["w"].tolist() == [2.0, 4.0]
    model = command.Start(start).model()
    with torch.no_grad():
        model.classifier.weight.fill_(1 / 3)
    export.round_to_half(model)
    assert model.classifier.weight[0, 0] == torch.tensor(1 / 3).half().float()


def test_low_confidence_is_where_labels_are_right_no_more_than_half_the_time() -> None:
    confidence = np.linspace(0.40, 0.90, 501)
    scores = np.stack([(1 - confidence) / 2, confidence, (1 - confidence) / 2], axis=1)
    gold = np.where(confidence < 0.55, np.arange(501) % 2, 1)  # below .55: right every other time
    assert card.low_confidence_threshold(gold, scores) == pytest.approx(0.55, abs=0.02)
    assert card.low_confidence_threshold(np.ones(501, np.int64), scores) == 0.34


def test_the_command_trains_from_own_labels_and_writes_everything(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f'"{e.text} {number}",{e.label}' for number, e in enumerate(toy_examples())]
    own = tmp_path / "own.csv"
    own.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    output = tmp_path / "output"
    calibrated: list[tuple[Path, int]] = []
    monkeypatch.setattr(
        command,
        "_calibrate_engine",
        lambda folder, corpus: calibrated.append((folder, len(corpus.train))),
    )
    arguments = ["--labels", str(own), "--start", str(start), "--output", str(output)]
    assert command.main([*arguments, "--epochs", "1", "--teacher", str(start)]) == 0
    content = json.loads((output / "model.json").read_text(encoding="utf-8"))
    assert content["sha256"]["model.safetensors"] == export.file_sha256(
        output / "model.safetensors"
    )
    assert "1 teacher" in content["training"]["note"]
    assert card.figures(output / "predictions.parquet") == content["figures"]
    assert card.render(content) == (output / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert set(content["figures"]) == {"own", "emoji_held_out"}
    assert calibrated == [(output, content["training"]["texts"]["own"])]
    reloaded = DistilBertForSequenceClassification.from_pretrained(output, dtype=torch.float32)
    assert reloaded.config.id2label == {0: "negative", 1: "neutral", 2: "positive"}
    text = next(t for t in (f"good great {n}" for n in range(99)) if text_sha256(t))
    logits = finetune.predict_logits(reloaded, finetune.load_tokenizer(output), [text])
    assert np.isfinite(logits).all()


def test_the_best_candidate_on_validation_texts_is_chosen(start: Path) -> None:
    model = command.Start(start).model()
    states = []
    for label in (POSITIVE, NEGATIVE):
        with torch.no_grad():
            model.classifier.bias.zero_()
            model.classifier.bias[label] = 99.0
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    bad = [Example(f"bad {number}", NEGATIVE, "own") for number in range(5)]
    corpus = Corpus(train=[], evaluation={"own": bad, "reviews_yelp": bad})
    best = command.choose(command.Start(start), corpus, states)
    assert best.classifier.bias.argmax() == NEGATIVE
    nothing = Corpus(train=[], evaluation={"reviews_yelp": bad})
    assert (
        command.choose(command.Start(start), nothing, states).classifier.bias.argmax() == POSITIVE
    )


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.main(["--output", str(tmp_path)])
    assert "give --data FOLDER" in capsys.readouterr().err
    assert command.main(["--data", str(tmp_path), "--output", str(tmp_path / "o")]) == 1
    assert "no labelled text" in capsys.readouterr().err
