"""One onnxruntime session: small, single-threaded, shared by as many threads as ask."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from udfs.sentiment.graph import Graph

# Fits one core's second-level cache: 256 tokens x 1,536 floats are 1.5 MB.
TOKENS_PER_BATCH = 256


class Session:
    """Runs a graph. `run` may be called from several threads at once."""

    def __init__(self, graph: Graph) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Threads of ours, one text or more each: a batch is never split, nothing spins.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # one per shape of batch would be kept
        # The extended level would put slower kernels (BiasGelu, SkipLayerNormalization) in.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.log_severity_level = 3
        names = list(graph.constants)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(graph.constants[name]) for name in names]
        options.add_external_initializers(names, values)
        self._kept = (graph.constants, values)  # the session borrows their memory
        self._session = onnxruntime.InferenceSession(
            graph.model, options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, ids: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
        """Return all outputs for texts of one length, ids of shape (texts, tokens)."""
        result: list[npt.NDArray[Any]] = self._session.run(self._outputs, {"ids": ids})
        return result


def batches_of_equal_length(windows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield indices of windows of the same length, about `TOKENS_PER_BATCH` tokens at a time.

    The longest come first, so that no thread is left with them at the end.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        by_length[len(window)].append(index)
    for length in sorted(by_length, reverse=True):
        indices = by_length[length]
        size = max(1, TOKENS_PER_BATCH // max(length, 1))
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


_probe_lock = threading.Lock()
_probe_result: bool | None = None


def is_saturating() -> bool:
    """Say whether this processor's byte products saturate (AVX2 and AVX-512 without VNNI).

    Found out by multiplying the extremes: 255 x 127 twice does not fit 16 bits.
    """
    global _probe_result
    with _probe_lock:
        if _probe_result is None:
            _probe_result = _probe()
        return _probe_result


def _probe() -> bool:
    import onnxruntime

    from udfs.sentiment import onnx_file

    size = 64
    weights = np.full((size, size), 127, np.int8)
    node = onnx_file.node("MatMulInteger", ["ids", "w"], ["p"])
    model = onnx_file.model(
        nodes=[onnx_file.node("Cast", ["ids64"], ["ids"], to=2), node],
        constants=[onnx_file.tensor("w", weights)],
        inputs=[onnx_file.value("ids64", "int64", [4, size])],
        outputs=[onnx_file.value("p", "int32", [4, size])],
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (product,) = session.run(["p"], {"ids64": np.full((4, size), 255, np.int64)})
    return bool((product != 255 * 127 * size).any())
