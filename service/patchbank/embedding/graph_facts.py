"""What an ONNX file says of its graph, read without a runtime: the operators and the types of its weights.

Only heads of fields are read, weights are passed over, so it takes milliseconds whatever the size. Field numbers are
those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, Final

from patchbank.regular_file import open_regular

_GRAPH, _FUNCTION = 7, 25  # of ModelProto
_NODES, _WEIGHTS = 1, 5  # of GraphProto
_FUNCTION_NODES = 7
_OPERATOR, _ATTRIBUTE = 4, 5  # of NodeProto
_VALUE = 5  # of AttributeProto: a tensor
_TYPE = 2  # of TensorProto

_FLOAT, _INT32, _INT64, _BOOL, _DOUBLE = 1, 6, 7, 9, 11
_EXACT: Final = frozenset({_FLOAT, _INT32, _INT64, _BOOL, _DOUBLE})
"""Types of tensors in a graph that computes in fp32; the integers are shapes and indices, doubles are lone numbers."""

_ATTENTION: Final = frozenset({b"Attention", b"MultiHeadAttention", b"Softmax"})
_LEAST: Final = 2
"""A transformer attends in every block. A single ``Softmax`` is a classifier's last operator."""


@dataclass(frozen=True)
class GraphFacts:
    """``attends``: it is a transformer; ``is_fp32``: none of its weights is of another precision."""

    attends: bool
    is_fp32: bool


def graph_facts(path: Path) -> GraphFacts:
    """Facts of an ONNX file; of one that is none, neither is true, and who loads it says what is wrong."""
    attending, types = 0, set[int]()
    try:
        with open_regular(path) as file:
            for number, value in _fields(file, 0, file.seek(0, SEEK_END)):
                inner = {_GRAPH: _NODES, _FUNCTION: _FUNCTION_NODES}.get(number)
                if inner is None or not isinstance(value, range):
                    continue
                for part, content in _fields(file, value.start, value.stop):
                    if not isinstance(content, range):
                        continue
                    if part == inner:
                        operator, tensors = _node(file, content)
                        attending += operator in _ATTENTION
                        types |= tensors
                    elif number == _GRAPH and part == _WEIGHTS:
                        types |= _types(file, content)
    except (OSError, ValueError):
        return GraphFacts(False, False)
    return GraphFacts(attending >= _LEAST, types <= _EXACT)


def _node(file: BinaryIO, node: range) -> tuple[bytes, set[int]]:
    """A node's operator, and the types of the tensors that it holds as a constant does."""
    operator, types = b"", set[int]()
    for number, value in _fields(file, node.start, node.stop):
        if not isinstance(value, range):
            continue
        if number == _OPERATOR:
            file.seek(value.start)
            operator = file.read(len(value))
        elif number == _ATTRIBUTE:
            for part, tensor in _fields(file, value.start, value.stop):
                if part == _VALUE and isinstance(tensor, range):
                    types |= _types(file, tensor)
    return operator, types


def _types(file: BinaryIO, tensor: range) -> set[int]:
    return {
        value
        for number, value in _fields(file, tensor.start, tensor.stop)
        if number == _TYPE and isinstance(value, int)
    }


def _fields(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, int | range]]:
    """The fields of a message that lies at ``begin`` to ``end``: numbers, with a number or the place of the content.
    Raises ``ValueError`` where it is no message."""
    place = begin
    while place < end:
        file.seek(place)
        key, place = _varint(file, place)
        number, kind = key >> 3, key & 7
        value: int | range
        if kind == 0:
            value, place = _varint(file, place)
        elif kind == 2:
            size, place = _varint(file, place)
            value, place = range(place, place + size), place + size
        elif kind in (1, 5):
            value = range(place, place + (8 if kind == 1 else 4))
            place = value.stop
        else:
            raise ValueError(f"field of kind {kind}")
        if place > end:
            raise ValueError("a field reaches beyond its message")
        yield number, value


def _varint(file: BinaryIO, place: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and the place behind it."""
    value = 0
    for count in range(10):
        byte = file.read(1)
        if not byte:
            raise ValueError("the file ends within a number")
        value |= (byte[0] & 0x7F) << 7 * count
        if byte[0] < 0x80:
            return value, place + count + 1
    raise ValueError("a number without an end")
