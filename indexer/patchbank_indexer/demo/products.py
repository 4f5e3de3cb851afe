"""Real products for the demo, out of two data packages on PyPI (extra ``demo``).

Solar cells: Deitsch et al. 2019, "Automatic classification of defective photovoltaic module cells in
electroluminescence images" (``elpv-dataset``, CC BY-NC-SA 4.0). Textile: ``conformal-clip-data`` (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from patchbank.errors import NoReferences


@dataclass(frozen=True)
class Product:
    """A product class: reference images, and held-out good and defective ones."""

    class_name: str
    references: tuple[Path, ...]
    good: tuple[Path, ...]
    defective: tuple[Path, ...]


def load_products(references: int, held_out: int, seed: int = 0) -> list[Product]:
    """Three classes with disjoint, seeded splits; ``NoReferences`` where the packages are not installed."""
    solar, textile = _package_folder("elpv_dataset"), _package_folder("conformal_clip_data")
    table = np.genfromtxt(solar / "data" / "labels.csv", dtype=None, encoding="utf-8", names=("path", "label", "kind"))
    products = []
    for kind in ("mono", "poly"):
        rows = [(solar / "data" / str(row["path"]), float(row["label"])) for row in table if row["kind"] == kind]
        # 1/3 and 2/3 mean that the experts were not sure; the demo leaves those out.
        good, bad = (
            [path for path, label in rows if label == 0.0],
            [path for path, label in rows if label == 1.0],
        )
        products.append(_split(f"solar_{kind}", good, bad, references, held_out, seed))
    fabric = textile / "data" / "textile_images" / "simulated"
    good, bad = _images(fabric / "nominal"), _images(fabric / "local")
    products.append(_split("textile", good, bad, references, held_out, seed))
    return products


def _split(name: str, good: Sequence[Path], bad: Sequence[Path], references: int, held_out: int, seed: int) -> Product:
    rng = np.random.default_rng(seed)
    mixed = [good[place] for place in rng.permutation(len(good))]
    defective = [bad[place] for place in rng.permutation(len(bad))[:held_out]]
    return Product(name, tuple(mixed[:references]), tuple(mixed[references : references + held_out]), tuple(defective))


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))


def _package_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise NoReferences("the demo's data packages are not installed: pip install 'patchbank[demo]'")
    return Path(spec.origin).parent
