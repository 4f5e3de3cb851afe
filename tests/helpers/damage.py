"""Random damage to files: a flipped bit, a block of garbage, a cut, a deletion."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WAYS: Final = ("flip", "garbage", "cut", "delete")


@dataclass(frozen=True)
class Damage:
    """One damage: the ``way``, the file's place among all files, and where in the file, 0..1."""

    way: str
    file: float
    place: float
    bit: int

    @classmethod
    def random(cls, rng: random.Random) -> Damage:
        return cls(rng.choice(WAYS), rng.random(), rng.random(), rng.randrange(8))

    def do(self, files: list[Path]) -> Path:
        """Damage one of the files, and return it."""
        path = files[int(self.file * len(files))]
        size = path.stat().st_size
        if self.way == "delete" or not size:
            path.unlink()
            return path
        offset = int(self.place * size)
        if self.way == "cut":
            os.truncate(path, offset)
            return path
        with path.open("rb+") as file:
            file.seek(offset)
            before = file.read(512 if self.way == "garbage" else 1)
            after = random.Random(offset).randbytes(len(before))  # noqa: S311
            file.seek(offset)
            file.write(after if self.way == "garbage" else bytes([before[0] ^ 1 << self.bit]))
        return path


def files_below(*folders: Path) -> list[Path]:
    """All files, in a fixed order."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
