"""What is attacked: a scratch data directory with three classes, probe pictures, and what sound banks say of them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from patchbank.errors import NoReferences
from patchbank_indexer.demo.products import load_products
from tests.attack.judged import Judged
from tests.attack.judges import Judge
from tests.helpers.pictures import picture
from tests.helpers.places import fast_folder

_FIRST, _LATER, _HELD_OUT = 6, 2, 2
STRANGER: Final = "stranger"
"""What is no picture of any class."""
NO_CLASS: Final = "-"
"""Stands for a question in which the class is not named."""


@dataclass(frozen=True)
class Taught:
    """A class: what it was taught from first and later, and pictures of it that the bank does not hold."""

    class_name: str
    first: tuple[Path, ...]
    later: tuple[Path, ...]
    good: tuple[Path, ...]
    defective: tuple[Path, ...]


@dataclass(frozen=True)
class Scene:
    """``sound`` are the verdicts of the whole banks in ``data``: by probe, and by the class that is named."""

    root: Path
    data: Path
    classes: tuple[Taught, ...]
    probes: Mapping[str, Path]
    sound: Mapping[str, Judged]
    shared: dict[str, Any] = field(default_factory=dict)
    """What several parts need and one makes."""

    def copy(self, name: str) -> Path:
        """A fresh copy of the data directory; one of that name before is deleted."""
        place = self.root / name
        shutil.rmtree(place, ignore_errors=True)
        return copied(self.data, place)

    def class_of(self, probe: str) -> str:
        """The class that a probe shows."""
        return probe.partition("/")[0]


def copied(source: Path, place: Path, sparse: str = "always") -> Path:
    """A copy of a folder that shares its blocks where the file system can, and has holes, or ``never`` has."""
    subprocess.run(["cp", "-a", "--reflink=auto", f"--sparse={sparse}", str(source), str(place)], check=True)
    return place


@contextmanager
def prepared(*, keep: bool = False) -> Iterator[Scene]:
    """Teach the classes in a scratch folder, which goes at the end unless it is to be kept."""
    root = Path(tempfile.mkdtemp(prefix="attack-", dir=fast_folder()))
    try:
        classes = _pictures(root)
        data = root / "sound"
        probes = {
            f"{taught.class_name}/{path.stem}": path for taught in classes for path in (*taught.good, *taught.defective)
        }
        probes[f"{STRANGER}/noise"] = _stranger(root)
        with Judge(probes) as judge:
            for taught in classes:
                judge.run("add", taught.class_name, *taught.first, "--keep-all", "--yes", "--data-dir", data)
                judge.run("update", taught.class_name, *taught.later, "--keep-all", "--yes", "--data-dir", data)
            opened = judge.open(data)
            if opened is not None:
                raise RuntimeError(f"the sound banks do not open: {opened}")
            sound = judge.judge()
            judge.close_store()
        yield Scene(root, data, classes, probes, sound)
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)


def _pictures(root: Path) -> tuple[Taught, ...]:
    try:
        products = load_products(references=_FIRST + _LATER, held_out=_HELD_OUT)
    except NoReferences:
        return tuple(_made_up(root / "pictures", number) for number in range(3))
    folder = root / "spoilt"
    folder.mkdir()
    return tuple(
        Taught(
            each.class_name,
            each.references[:_FIRST],
            each.references[_FIRST:],
            each.good,
            tuple(_spoilt(path, folder / f"{path.stem}-spoilt.png") for path in each.good),
        )
        for each in products
    )


def _spoilt(good: Path, path: Path) -> Path:
    """The picture with a spot that no bank calls normal: real defects are missed by some of these small banks."""
    with Image.open(good) as opened:
        values = np.array(opened.convert("RGB"))
    top, left = values.shape[0] // 3, values.shape[1] // 3
    spot = np.indices((24, 24)).sum(axis=0) // 3 % 2 * 255
    values[top : top + 24, left : left + 24] = spot[..., None]
    Image.fromarray(values).save(path)
    return path


def _made_up(folder: Path, number: int) -> Taught:
    """Where the demo's pictures are not installed: one pattern with noise on it, and spots for defects."""
    folder.mkdir(parents=True, exist_ok=True)
    base = np.asarray(picture(number, (256, 256))).astype(np.int16)
    rng = np.random.default_rng(number)
    paths = []
    for index in range(_FIRST + _LATER + 2 * _HELD_OUT):
        values = base + rng.integers(-12, 13, base.shape)
        if index >= _FIRST + _LATER + _HELD_OUT:
            values[90:140, 90:140] = rng.integers(0, 256, (50, 50, 3))
        path = folder / f"{number}-{index}.png"
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path)
        paths.append(path)
    cut = _FIRST + _LATER
    kinds = paths[:_FIRST], paths[_FIRST:cut], paths[cut : cut + _HELD_OUT], paths[cut + _HELD_OUT :]
    return Taught(f"made-up-{number}", *map(tuple, kinds))


def _stranger(root: Path) -> Path:
    path = root / "noise.png"
    values = np.random.default_rng(7).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path
