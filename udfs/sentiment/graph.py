"""The classifier as an ONNX graph: in float32 for reference, in int8 for speed.

How the int8 graph keeps a score independent of the batch around a text:

- Every token has its own activation scale (the largest absolute value of its row), so nothing
  is shared between tokens. Products are exact integers, whatever the order of summation.
- Texts of one batch have the same number of tokens. There is no padding and no mask.
- The last layer is computed for the first token only, the one that is classified.

What keeps it close to float32: weights have a scale per output channel, and channels of the
activations with large values hand part of their size to the weights (Xiao et al. 2023,
"SmoothQuant", with the exponent chosen per layer in quantise.py). A few channels behind GELU are
so large for single tokens that one step would be as coarse as all else in the row: their part of
the product stays float32 (Dettmers et al. 2022, "LLM.int8()").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from udfs.sentiment import onnx_file
from udfs.sentiment.onnx_file import CONTRIB

Array = npt.NDArray[np.generic]
Weights = Mapping[str, Array]

# The places where activations meet weights, per layer.
SITES = {
    "qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "context": ("attention.out_lin",),
    "ffn_in": ("ffn.lin1",),
    "ffn_out": ("ffn.lin2",),
}
SYMMETRIC_ZERO = 128
SYMMETRIC_FLOOR = 1e-12
GELU_MINIMUM = 0.17  # GELU is never below the negative of it


@dataclass(frozen=True)
class Sizes:
    """The sizes of a DistilBERT classifier."""

    layers: int
    heads: int
    dim: int
    labels: int


@dataclass(frozen=True)
class Scales:
    """How what enters a site of the int8 graph becomes bytes, row by row.

    `factors`: float32 (channels,), by which the activations are divided and the weights
    multiplied. `kept`: int64 (n,), the channels that stay float32; not in the last layer, where
    a single row would be multiplied by another road than many. `zero`: the byte that means 0.0.
    `floor`: the smallest peak that a row is scaled by; negative values beyond the bytes below
    `zero` are cut.
    """

    factors: npt.NDArray[np.float32]
    kept: npt.NDArray[np.int64]
    zero: int
    floor: float


@dataclass
class Graph:
    """A model file and the large constants that are handed to the session beside it."""

    model: bytes
    constants: dict[str, Array]
    taps: list[str]  # names of extra outputs


@dataclass
class _Builder:
    nodes: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)
    external: dict[str, Array] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    def constant(self, name: str, values: npt.ArrayLike, dtype: str) -> str:
        """Add a constant once and return its name; large ones are kept beside the graph."""
        if name not in self.known:
            self.known.add(name)
            array = np.ascontiguousarray(values, dtype=dtype).reshape(np.shape(values))
            is_large = array.nbytes > 16_384
            if is_large:
                self.external[name] = array
            self.tensors.append(onnx_file.tensor(name, array, is_external=is_large))
        return name

    def add(
        self, op: str, *inputs: str, domain: str = "", output: str = "", **attributes: float
    ) -> str:
        """Add an operation and return the name of its output."""
        name = output or f"{op}_{len(self.nodes)}"
        self.nodes.append(onnx_file.node(op, inputs, [name], domain=domain, **attributes))
        return name


def quantise_weights(
    weight: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return int8 weights of shape (inputs, outputs) and the scale of each output."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / np.float32(127)
    return np.rint(weight / scale).astype(np.int8), scale


def layer_prefix(layer: int) -> str:
    """Return the name under which a checkpoint keeps a layer."""
    return f"distilbert.transformer.layer.{layer}."


def build(
    weights: Weights,
    sizes: Sizes,
    *,
    scales: Mapping[str, Scales] | None,
    is_saturating: bool = False,
    has_taps: bool = False,
) -> Graph:
    """Build the graph: input `ids` int64 (texts, tokens), output `p` float32 (texts + 1, labels).

    The last row of `p` belongs to no text: with it the head never multiplies a single row,
    for which onnxruntime takes another road and rounds differently.

    `scales` are by `<layer>.<site>`; None builds float32.
    `is_saturating`: the processor's products of unsigned and signed bytes saturate (AVX2 without
    VNNI), so weights are stored unsigned; slower, the same result. `has_taps` adds what
    enters each site as extra outputs.
    """
    make = _Assembler(weights, scales, is_saturating=is_saturating)
    hidden = make.embeddings()
    for layer in range(sizes.layers):
        # Calibration wants every token of every layer.
        is_first_token_only = layer == sizes.layers - 1 and not has_taps
        hidden = make.layer(hidden, layer, sizes, is_first_token_only=is_first_token_only)
    make.head(make.first_tokens(hidden) if has_taps else hidden)
    outputs = [onnx_file.value("p", "float32", ["rows", sizes.labels])]
    taps = list(make.taps) if has_taps else []
    outputs += [onnx_file.value(make.taps[site], "float32", ["rows", "width"]) for site in taps]
    model = onnx_file.model(
        nodes=make.graph.nodes,
        constants=make.graph.tensors,
        inputs=[onnx_file.value("ids", "int64", ["texts", "tokens"])],
        outputs=outputs,
    )
    return Graph(model, make.graph.external, taps)


class _Assembler:
    """Adds the parts of the model, in order, to one graph."""

    def __init__(
        self,
        weights: Weights,
        scales: Mapping[str, Scales] | None,
        *,
        is_saturating: bool,
    ) -> None:
        self.graph = _Builder()
        self.taps: dict[str, str] = {}
        self._weights = weights
        self._scales = scales
        self._is_saturating = is_saturating

    def embeddings(self) -> str:
        make = self.graph
        prefix = "distilbert.embeddings."
        words = make.constant("words", self._weights[f"{prefix}word_embeddings.weight"], "float16")
        positions = self._float(f"{prefix}position_embeddings.weight")
        tokens = make.add("Cast", make.add("Gather", words, "ids"), to=1)
        zero = make.constant("zero", [0], "int64")
        length = make.add("Shape", "ids", start=1, end=2)
        places = make.add(
            "Slice", make.constant("positions", positions, "float32"), zero, length, zero
        )
        total = make.add("Add", tokens, places)
        scale, shift = self._norm(f"{prefix}LayerNorm")
        normed = make.add("LayerNormalization", total, scale, shift, axis=-1, epsilon=1e-12)
        one = make.constant("one", [1], "int64")
        texts = make.add("Slice", make.add("Shape", "ids"), zero, one)
        width = make.constant("width", [-1, positions.shape[1]], "int64")
        make.add("Concat", texts, width, axis=0, output="by_text")
        return make.add("Reshape", normed, width)

    def layer(self, hidden: str, layer: int, sizes: Sizes, *, is_first_token_only: bool) -> str:
        make = self.graph
        prefix = layer_prefix(layer)
        entry = self._enter(hidden, f"{layer}.qkv")
        key = self._multiply(entry, f"{prefix}attention.k_lin", f"{layer}.qkv")
        values = self._multiply(entry, f"{prefix}attention.v_lin", f"{layer}.qkv")
        if is_first_token_only:
            hidden = self.first_tokens(hidden)
            entry = self._enter(hidden, f"{layer}.qkv")
        query = self._multiply(entry, f"{prefix}attention.q_lin", f"{layer}.qkv")
        # A key's bias adds the same to every score of a query, and softmax takes it out again;
        # a value's bias passes through, since the shares add to one: it joins the next bias.
        query = make.add("Add", query, self._constant(f"{prefix}attention.q_lin.bias"))
        by_text = [make.add("Reshape", part, "by_text") for part in (query, key, values)]
        context = make.add("Attention", *by_text, q_num_heads=sizes.heads, kv_num_heads=sizes.heads)
        context = make.add("Reshape", context, "width")
        entry = self._enter(context, f"{layer}.context")
        out = self._multiply(entry, f"{prefix}attention.out_lin", f"{layer}.context")
        out_weight = self._float(f"{prefix}attention.out_lin.weight")
        out_bias = self._float(f"{prefix}attention.out_lin.bias")
        out_bias = out_bias + out_weight @ self._float(f"{prefix}attention.v_lin.bias")
        bias = make.constant(f"{prefix}attention.out_lin.bias", out_bias, "float32")
        hidden = self._add_and_norm(out, bias, hidden, f"{prefix}sa_layer_norm")
        entry = self._enter(hidden, f"{layer}.ffn_in")
        inner = self._multiply(entry, f"{prefix}ffn.lin1", f"{layer}.ffn_in")
        inner = make.add("Add", inner, self._constant(f"{prefix}ffn.lin1.bias"))
        # Not BiasGelu, whose two steps in one take longer than both.
        inner = make.add("Gelu", inner)
        entry = self._enter(inner, f"{layer}.ffn_out")
        out = self._multiply(entry, f"{prefix}ffn.lin2", f"{layer}.ffn_out")
        bias = self._bias(inner, f"{prefix}ffn.lin2", f"{layer}.ffn_out")
        return self._add_and_norm(out, bias, hidden, f"{prefix}output_layer_norm")

    def head(self, hidden: str) -> None:
        make = self.graph
        spare = make.constant(
            "spare", np.zeros((1, self._float("classifier.weight").shape[1])), "float32"
        )
        rows = make.add("Concat", hidden, spare, axis=0)
        rows = make.add(
            "Gemm",
            rows,
            self._constant("pre_classifier.weight"),
            self._constant("pre_classifier.bias"),
            transB=1,
        )
        rows = make.add(
            "Gemm",
            make.add("Relu", rows),
            self._constant("classifier.weight"),
            self._constant("classifier.bias"),
            transB=1,
        )
        make.add("Softmax", rows, axis=-1, output="p")

    def first_tokens(self, hidden: str) -> str:
        """Keep the row of each text's first token."""
        make = self.graph
        zero = make.constant("zero", [0], "int64")
        one = make.constant("one", [1], "int64")
        first = make.add("Slice", make.add("Reshape", hidden, "by_text"), zero, one, one)
        return make.add("Reshape", first, "width")

    def _enter(self, name: str, site: str) -> tuple[str, str]:
        """Quantise what enters a site: bytes and the step of each row; float32 as it is."""
        self.taps[site] = name
        if self._scales is None:
            return name, ""
        make = self.graph
        scales = self._scales[site]
        is_one_sided = site.endswith("ffn_out")
        if not site.endswith("context"):
            factor = 1 / scales.factors
            factor[scales.kept] = 0
            if not np.all(factor == 1):
                name = make.add("Mul", name, make.constant(f"{site}.factor", factor, "float32"))
        last = make.constant("last", [-1], "int64")
        size = name if is_one_sided else make.add("Abs", name)
        peak = make.add("ReduceMax", size, last, keepdims=1)
        peak = make.add("Max", peak, make.constant(f"{site}.floor", scales.floor, "float32"))
        zero = scales.zero
        share = make.constant(f"share{zero}", 1 / (255 - zero), "float32")
        step = make.add("Mul", peak, share)
        steps = make.add("Reshape", step, last)
        point = make.constant(f"zero{zero}", zero, "uint8")
        points = make.add("Expand", point, make.add("Shape", steps))
        return make.add("QuantizeLinear", name, steps, points, axis=0), step

    def _multiply(self, entry: tuple[str, str], weight_name: str, site: str) -> str:
        """Multiply what `_enter` gave with a weight, without its bias."""
        make = self.graph
        name, step = entry
        weight = self._float(f"{weight_name}.weight").T
        if self._scales is None:
            return make.add(
                "MatMul", name, make.constant(f"{weight_name}.weight", weight, "float32")
            )
        scales = self._scales[site]
        weight = weight * scales.factors[:, None]
        weight[scales.kept] = 0
        if weight_name.endswith("v_lin"):
            weight = weight / self._scales[site.replace("qkv", "context")].factors
        quantised, scale = quantise_weights(weight)
        inputs = [
            name,
            make.constant(f"{weight_name}.int8", *self._stored(quantised)),
            make.constant("unit", 1.0, "float32"),
            make.constant(f"{weight_name}.scale", scale, "float32"),
            make.constant(f"zero{scales.zero}", scales.zero, "uint8"),
        ]
        if self._is_saturating:
            middle = np.full(scale.shape, 128, np.uint8)
            inputs.append(make.constant(f"{weight_name}.zero", middle, "uint8"))
        product = make.add("MatMulIntegerToFloat", *inputs, domain=CONTRIB)
        return make.add("Mul", product, step)

    def _bias(self, entered: str, weight_name: str, site: str) -> str:
        """Return a product's bias, with what the kept channels add to each row."""
        make = self.graph
        bias = self._constant(f"{weight_name}.bias")
        if self._scales is None or not self._scales[site].kept.size:
            return bias
        kept = self._scales[site].kept
        rows = make.add("Gather", entered, make.constant(f"{site}.kept", kept, "int64"), axis=1)
        weight = self._float(f"{weight_name}.weight").T[kept]
        return make.add("Gemm", rows, make.constant(f"{site}.weight", weight, "float32"), bias)

    def _stored(self, quantised: npt.NDArray[np.int8]) -> tuple[Array, str]:
        if self._is_saturating:
            return (quantised.astype(np.int16) + 128).astype(np.uint8), "uint8"
        return quantised, "int8"

    def _add_and_norm(self, out: str, bias: str, skip: str, norm: str) -> str:
        # Not SkipLayerNormalization, which takes five times as long as its parts.
        make = self.graph
        total = make.add("Add", make.add("Add", out, bias), skip)
        return make.add("LayerNormalization", total, *self._norm(norm), axis=-1, epsilon=1e-12)

    def _norm(self, name: str) -> tuple[str, str]:
        return self._constant(f"{name}.weight"), self._constant(f"{name}.bias")

    def _constant(self, name: str) -> str:
        return self.graph.constant(name, self._float(name), "float32")

    def _float(self, name: str) -> npt.NDArray[np.float32]:
        return self._weights[name].astype(np.float32)


def gelu_floor(factors: npt.NDArray[np.float32], zero: int) -> float:
    """Return the smallest peak at which all of GELU's negative part has a byte."""
    return float(GELU_MINIMUM / factors.min() * (255 - zero) / zero)
