"""Peak memory of ``indexer add`` for growing numbers of images: ``python -m benchmarks.index_memory``.

Real images (solar cells), each count in a process of its own; the figure is the one that the command itself prints.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from elpv_dataset.utils import load_dataset
from PIL import Image


def main() -> None:
    """Print one row per count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--backbone", default="efficientnet-lite2")
    parser.add_argument("--data-dir", help="where models are, if not built in")
    given = parser.parse_args()
    print("| images | patches seen | patches kept | peak MB | s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        images, _, _ = load_dataset()
        for number, image in enumerate(images[: max(given.counts)]):
            Image.fromarray(image).save(pictures / f"{number:04}.png")
        files = sorted(pictures.iterdir())
        for count in given.counts:
            _row(files[:count], given, Path(folder) / f"bank-{count}")


def _row(files: list[Path], given: argparse.Namespace, data_dir: Path) -> None:
    begin = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "patchbank_indexer.cli",
            "add",
            "cells",
            *map(str, files),
            "--json",
            "--data-dir",
            given.data_dir or str(data_dir),
            "--backbone",
            given.backbone,
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    seen = report["coreset"]["seen"] if report["coreset"] else report["patches"]
    print(
        f"| {report['references']} | {seen} | {report['patches']} | {report['peak_memory_mb']:.0f} | "
        f"{time.perf_counter() - begin:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
