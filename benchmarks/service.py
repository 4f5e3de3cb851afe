"""Where the time of ``/detect`` goes: ``python -m benchmarks.service``.

Teaches one class, serves it, sends held-out images over HTTP one at a time, and prints every stage's median and the
share of the answer's time that is not the backbone's forward pass (measured alone, in the same run, same inputs: one
for each of the class's scales).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.model_files import model_path
from patchbank.embedding.preprocess import plan_levels, to_input
from patchbank.embedding.providers import Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.images import read_image
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service


def main() -> None:
    """Print medians in milliseconds and the share outside the forward pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--coreset", type=float)
    given = parser.parse_args()
    product = load_products(given.references, given.images)[0]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), backbone=BUILT_IN)
        store = open_store(settings)
        with Embedder.open(settings) as embedder:
            options = TeachOptions(coreset=given.coreset)
            manifest = Teacher(settings, embedder, store).teach("part", product.references, options=options).manifest
            backbone = embedder.backbone
        store.close()
        session = OnnxSession(model_path(backbone, settings.data_dir), Runtime(settings.providers, settings.threads))
        print(f"bank of {manifest.patches} patches")
        print("| images | whole | decode | embed | retrieve | search | render | record | forward alone | not forward |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        with running_service(settings, Path(folder) / "log") as client:
            for kind, files in (("good", product.good), ("defective", product.defective)):
                rows, forward = [], []
                for file in (files[0], *files):
                    answer = client.post(
                        "/detect", files={"file": file.read_bytes()}, data={"class_name": "part"}
                    ).json()
                    stages = answer["timings_ms"]
                    rows.append([answer["processing_time_ms"], *stages.values()])
                    image = read_image(file)
                    levels = plan_levels(image.size, backbone, manifest.scales)
                    inputs = [to_input(image.pixels, level, backbone)[None] for level in levels]
                    begin = time.perf_counter()
                    for values in inputs:
                        session.run([backbone.patch_output, backbone.cls_output], values)
                    forward.append((time.perf_counter() - begin) * 1e3)
                whole = np.median(np.array(rows[1:]), axis=0)
                alone = float(np.median(forward[1:]))
                cells = " | ".join(f"{value:.1f}" for value in (*whole, alone))
                print(f"| {len(files)} {kind} | {cells} | {1 - alone / whole[0]:.0%} |", flush=True)
        session.close()


if __name__ == "__main__":
    main()
