"""Patchbank beside a plain PyTorch pipeline that does the same job: ``python -m benchmarks.peer`` (docs/peer.md).

The same weights, the same references, the same pictures at the same input size, from files on the disk to scores and
maps. The pipeline is ``benchmarks.plain_pytorch``; with ``--anomalib`` that library's own AnomalyDINO is measured too.
Every row is a process of its own, one after the other; memory is that of all its processes together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.install_size import installed_mb
from benchmarks.process_memory import PeakMemory
from patchbank.scoring.curve import Curve
from patchbank_indexer.demo.products import Product, load_products

BUILT_IN: Final = "efficientnet-lite2"
DINOV2: Final = "peer-dinov2"
_PLAIN: Final = "plain PyTorch"
_SIDES: Final = {BUILT_IN: 512, DINOV2: 448}
_PACKAGES: Final = {
    "plain": {BUILT_IN: ("torch", "pillow", "efficientnet-lite-pytorch"), DINOV2: ("torch", "pillow", "transformers")},
    "anomalib": {DINOV2: ("anomalib", "torch", "torchvision")},
}


def main() -> None:
    """Print two tables: teaching and detecting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=["dinov2", "built-in"], default="dinov2")
    parser.add_argument("--checkpoint", help="a DINOv2: folder, or name on the hub; else seeded random weights")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--images", type=int, default=20, help="good, and as many defective, pictures to judge")
    parser.add_argument("--batch", type=int, default=16, help="pictures that are sent at once")
    parser.add_argument("--product", type=int, default=0, choices=[0, 1, 2], help="solar_mono, solar_poly or textile")
    parser.add_argument("--anomalib", action="store_true", help="measure anomalib's own AnomalyDINO too")
    parser.add_argument("--torch-alone", action="store_true", help="leave Patchbank out")
    given = parser.parse_args()
    product = load_products(given.references, given.images)[given.product]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = _prepare(given, product, folder)
        sides: list[tuple[str, str, tuple[str, ...]]] = [("plain", _PLAIN, ("detect",))]
        if given.anomalib:
            sides.append(("anomalib", "anomalib", ("detect",)))
        if not given.torch_alone:
            sides.append(("ours", "Patchbank", ("detect", "http")))
        taught = [(title, _in_a_process(side, "teach", task)) for side, title, _ in sides]
        judged = [
            (f"{title}, HTTP" if way == "http" else title, _in_a_process(side, way, task))
            for side, title, ways in sides
            for way in ways
        ]
    print(f"{taught[0][1]['about']}; {judged[-1][1]['about']}")
    _print_teaching(taught)
    _print_detecting(judged, product)
    for side, title, _ in sides:
        packages = ("patchbank[cpu]",) if side == "ours" else _PACKAGES[side][task["backbone"]]
        print(f"{title}: {installed_mb(packages):,.0f} MB installed ({', '.join(packages)} and what they need)")


def _prepare(given: argparse.Namespace, product: Product, folder: Path) -> dict[str, Any]:
    """What every process is told. Makes the checkpoint and its ONNX file where DINOv2 is measured."""
    task = {
        "folder": str(folder),
        "backbone": BUILT_IN if given.network == "built-in" else DINOV2,
        "side": _SIDES[BUILT_IN if given.network == "built-in" else DINOV2],
        "references": [str(file) for file in product.references],
        "images": [str(file) for file in (*product.good, *product.defective)],
        "batch": given.batch,
    }
    if given.network == "dinov2":
        from benchmarks.parity import NETWORKS, make_checkpoint  # noqa: PLC0415  # they import PyTorch

        kind, shape = NETWORKS["vits14"]
        checkpoint = given.checkpoint or str(make_checkpoint(kind, shape, folder / "checkpoint"))
        task["checkpoint"] = checkpoint
        command = [sys.executable, "-m", "patchbank_indexer.cli", "model", "export", checkpoint, "--name", DINOV2]
        command += ["--size", "448", "--data-dir", str(folder / "banks")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return task


def _in_a_process(side: str, way: str, task: dict[str, Any]) -> dict[str, Any]:
    """What ``benchmarks.peer_sides`` prints, and the most memory that it took."""
    command = [sys.executable, "-m", "benchmarks.peer_sides", side, way]
    begin = time.time()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        with PeakMemory(process.pid) as memory:
            told, _ = process.communicate(json.dumps({**task, "begin": begin}))
        if process.returncode:
            raise SystemExit(f"{side} could not {way}: exit status {process.returncode}")
    return {**json.loads(told.splitlines()[-1]), "peak_mb": memory.peak_mb}


def _print_teaching(rows: Sequence[tuple[str, dict[str, Any]]]) -> None:
    print("\n| teaching | start s | bank alone, images/s | with a threshold, images/s | ratio | peak MB | on disk MB |")
    print("|---|---|---|---|---|---|---|")
    first = rows[0][1]["with_threshold_s"]
    for title, row in rows:
        alone = "-" if row["images_s"] is None else f"{row['images_s']:.2f}"
        cells = f"{row['start']:.1f} | {alone} | {row['with_threshold_s']:.2f} | {row['with_threshold_s'] / first:.2f}"
        print(f"| {title} | {cells} | {row['peak_mb']:,.0f} | {row['disk_mb']:.0f} |")


def _print_detecting(rows: Sequence[tuple[str, dict[str, Any]]], product: Product) -> None:
    print("\n| detecting | start s | ms per image | ratio | images/s, sent at once | ratio | peak MB | AUROC |")
    print("|---|---|---|---|---|---|---|---|")
    single, many = rows[0][1]["ms"], rows[0][1]["many_s"]
    for title, row in rows:
        scores, good = row["scores"], len(product.good)
        cells = f"{row['start']:.1f} | {row['ms']:.0f} | {single / row['ms']:.2f} | {row['many_s']:.2f}"
        cells += f" | {row['many_s'] / many:.2f} | {row['peak_mb']:,.0f}"
        print(f"| {title} | {cells} | {Curve.of_scores(scores[:good], scores[good:]).auroc:.4f} |")


if __name__ == "__main__":
    main()
