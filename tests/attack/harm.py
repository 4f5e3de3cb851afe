"""Damage to a file: one bit, a block, a cut, nothing left, another file's content, or more than there was."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_BLOCK: Final = 512


def bit(path: Path, rng: random.Random) -> str:
    """Turn one bit over."""
    content = bytearray(path.read_bytes())
    place, mask = rng.randrange(len(content)), 1 << rng.randrange(8)
    content[place] ^= mask
    _put(path, bytes(content))
    return f"bit {mask:#04x} of byte {place} turned over"


def exponent(path: Path, rng: random.Random) -> str:
    """Turn an exponent bit of one little-endian float over, where an array's data may lie."""
    content = bytearray(path.read_bytes())
    begin = 128 if path.suffix == ".npy" and len(content) > 132 else 0
    floats = max(1, (len(content) - begin) // 4)
    place = min(begin + 4 * rng.randrange(floats) + 3, len(content) - 1)
    content[place] ^= 0x40
    _put(path, bytes(content))
    return f"exponent bit of byte {place} turned over"


def block(path: Path, rng: random.Random) -> str:
    """Write garbage over a block."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(max(1, len(content) - _BLOCK))
    size = min(_BLOCK, len(content) - place)
    content[place : place + size] = rng.randbytes(size)
    _put(path, bytes(content))
    return f"{size} bytes of garbage from byte {place} on"


def cut(path: Path, rng: random.Random) -> str:
    """Cut the end off."""
    size = path.stat().st_size
    left = rng.choice([0, size // 2, rng.randrange(size)])
    with path.open("r+b") as file:
        file.truncate(left)
    return f"cut to {left} of {size} bytes"


def delete(path: Path, rng: random.Random) -> str:
    """Delete it."""
    path.unlink()
    return "deleted"


def grow(path: Path, rng: random.Random) -> str:
    """Append garbage."""
    more = rng.randbytes(rng.choice([1, 4, 4096]))
    with path.open("ab") as file:
        file.write(more)
    return f"{len(more)} bytes appended"


KINDS: Final[Mapping[str, Callable[[Path, random.Random], str]]] = {
    "bit": bit,
    "exponent": exponent,
    "block": block,
    "cut": cut,
    "delete": delete,
    "grow": grow,
}
SWAP: Final = "swap"


def swap(first: Path, second: Path) -> str:
    """Let two files change places."""
    ours, theirs = first.read_bytes(), second.read_bytes()
    _put(first, theirs)
    _put(second, ours)
    return f"changed places with {second.parent.name}/{second.name}"


def _put(path: Path, content: bytes) -> None:
    """Write in place, as a disk that rots does: whoever has the file open or mapped sees it."""
    with path.open("r+b") as file:
        file.write(content)
        file.truncate(len(content))
