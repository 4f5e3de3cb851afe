"""Small ONNX graphs, written as protocol buffers, so that nothing else is needed to make them."""

from __future__ import annotations

from collections.abc import Sequence

FLOAT32, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
"""Types of numbers, as ONNX counts them."""

_IR_VERSION, _OPSET = 8, 13
_OF_INT, _OF_INTS = 2, 7


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """A NodeProto of one output."""
    made = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)
    for name, value in attributes.items():
        if isinstance(value, int):
            told = field(3, value) + field(20, _OF_INT)
        else:
            told = b"".join(field(8, each) for each in value) + field(20, _OF_INTS)
        made += field(5, field(1, name) + told)
    return made


def matrix(name: str, kind: int, dims: Sequence[str]) -> bytes:
    """A ValueInfoProto of an array whose sides have these names."""
    shape = b"".join(field(1, field(2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def graph(nodes: Sequence[bytes], inputs: Sequence[bytes], output: bytes, constants: Sequence[bytes] = ()) -> bytes:
    """A ModelProto of these nodes, in their order."""
    inside = b"".join(field(1, each) for each in nodes) + field(2, "graph")
    inside += b"".join(field(5, each) for each in constants) + b"".join(field(11, each) for each in inputs)
    return field(1, _IR_VERSION) + field(7, inside + field(12, output)) + field(8, field(2, _OPSET))


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
