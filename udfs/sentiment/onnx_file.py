"""The few messages of the ONNX file format that the embedded engine writes.

The graph depends on the checkpoint's sizes and on the processor, so it is made when the
model is loaded. The package `onnx` would cost every user 20 MB and 0.2 s of start for what
are five protobuf messages (field numbers of onnx.proto3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

IR_VERSION = 11
OPSET = 23
CONTRIB = "com.microsoft"

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7  # AttributeProto.AttributeType


def node(
    op: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    domain: str = "",
    **attributes: float | str | Sequence[int],
) -> bytes:
    """NodeProto: one operation, named after its first output."""
    return b"".join(
        (
            # An input left out is an empty name, which must be written.
            *(_message(1, name.encode()) for name in inputs),
            *(_text(2, name) for name in outputs),
            _text(3, outputs[0]),
            _text(4, op),
            *(_message(5, _attribute(name, value)) for name, value in attributes.items()),
            _text(7, domain),
        )
    )


def tensor(name: str, values: npt.NDArray[np.generic], *, is_external: bool = False) -> bytes:
    """TensorProto: a constant; an external one is handed to the session by name."""
    parts = [_integer(1, size) for size in values.shape]
    parts += [_integer(2, _ELEMENT_TYPES[values.dtype.name]), _text(8, name)]
    if is_external:
        parts += [
            _message(13, _text(1, "location") + _text(2, "handed-over-in-memory")),
            _integer(14, 1),
        ]
    else:
        parts.append(_message(9, np.ascontiguousarray(values).tobytes()))
    return b"".join(parts)


def value(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    """ValueInfoProto: an input or output; a size given as text is free."""
    sizes = b"".join(
        _message(1, _text(2, size) if isinstance(size, str) else _integer(1, size))
        for size in shape
    )
    kind = _integer(1, _ELEMENT_TYPES[dtype]) + _message(2, sizes)
    return _text(1, name) + _message(2, _message(1, kind))


def model(
    *,
    nodes: Iterable[bytes],
    constants: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
) -> bytes:
    """ModelProto: the file as onnxruntime reads it."""
    graph = b"".join(
        (
            *(_message(1, item) for item in nodes),
            _text(2, "sentiment"),
            *(_message(5, item) for item in constants),
            *(_message(11, item) for item in inputs),
            *(_message(12, item) for item in outputs),
        )
    )
    opsets = (("", OPSET), (CONTRIB, 1))
    return b"".join(
        (
            _integer(1, IR_VERSION),
            _text(2, "social-signals"),
            _message(7, graph),
            *(_message(8, _text(1, domain) + _integer(2, number)) for domain, number in opsets),
        )
    )


def _attribute(name: str, value: float | str | Sequence[int]) -> bytes:
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _integer(20, _STRING)
    if isinstance(value, float):
        return _text(1, name) + _key(2, 5) + struct.pack("<f", value) + _integer(20, _FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, _INT)
    return _text(1, name) + b"".join(_integer(8, item) for item in value) + _integer(20, _INTS)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(number: int) -> bytes:
    number &= 0xFFFF_FFFF_FFFF_FFFF  # negative numbers are ten bytes, as protobuf has it
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _integer(field: int, number: int) -> bytes:
    return _key(field, 0) + _varint(number)


def _message(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _text(field: int, content: str) -> bytes:
    return _message(field, content.encode()) if content else b""
