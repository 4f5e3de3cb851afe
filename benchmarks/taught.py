"""Classes taught once into a folder, and images to judge with them, so that several runs judge the same images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.datasets import load_datasets
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher


@dataclass(frozen=True)
class Taught:
    """A class with its threshold, the median score of its calibration images, and good and defective images."""

    class_name: str
    threshold: float
    usual: float
    good: tuple[Path, ...]
    defective: tuple[Path, ...]

    @property
    def spread(self) -> float:
        """From the median score of normal images to the threshold."""
        return self.threshold - self.usual

    @property
    def images(self) -> tuple[Path, ...]:
        """All images to judge."""
        return self.good + self.defective


def settings_of(folder: Path, backbone: str, **more: object) -> Settings:
    """Settings on the banks in ``folder``."""
    return load_settings(data_dir=folder / "banks", backbone=backbone, **more)


def teach_all(folder: Path, mvtec: list[str], references: int, images: int, backbone: str) -> list[Taught]:
    """Teach every class, and write down what is to be judged."""
    settings = settings_of(folder, backbone)
    rows = []
    store = EdgeStore(settings.data_dir)
    try:
        with Embedder.open(settings) as embedder:
            for product in load_datasets(mvtec, references, 0, images):
                made = Teacher(settings, embedder, store).teach(product.class_name, product.references).manifest
                scores = made.calibration
                rows.append(
                    {
                        "class_name": product.class_name,
                        "threshold": scores.threshold,
                        "usual": median(scores.scores),
                        "good": [str(path) for path in product.good],
                        "defective": [str(path) for path in product.defective],
                    }
                )
    finally:
        store.close()
    (folder / "plan.json").write_text(json.dumps({"backbone": backbone, "classes": rows}, indent=1))
    return read_taught(folder)[1]


def read_taught(folder: Path) -> tuple[str, list[Taught]]:
    """Backbone and classes of a folder that ``teach_all`` filled."""
    plan = json.loads((folder / "plan.json").read_text())
    return plan["backbone"], [
        Taught(
            row["class_name"],
            row["threshold"],
            row["usual"],
            tuple(map(Path, row["good"])),
            tuple(map(Path, row["defective"])),
        )
        for row in plan["classes"]
    ]
