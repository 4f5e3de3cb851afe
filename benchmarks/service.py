"""Where the time of ``/detect`` goes: ``python -m benchmarks.service``.

Teaches one class, serves it, sends held-out images over HTTP one at a time, and prints every stage's median and the
share of the answer's time that is not the backbone's forward pass (measured alone, in the same run, same inputs: one
for each of the class's scales). "HTTP" is what the client waits for beside what the service counts: connection, form,
JSON. A second table has the small steps alone, each beside the least that a library takes for it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.part_class import PART, taught_part
from benchmarks.request_steps import print_steps
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.embedding.model_files import model_path
from patchbank.embedding.preprocess import plan_levels, to_input
from patchbank.embedding.providers import Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

_STAGES: Final = ("decode", "embed", "retrieve", "search", "render", "record")


def main() -> None:
    """Print medians in milliseconds and the share outside the forward pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--coreset", type=float)
    parser.add_argument("--backbone", default=BUILT_IN)
    parser.add_argument("--data-dir", type=Path, help="where the class is kept for the next run; taught only once")
    parser.add_argument("--no-map", action="store_true", help="send return_map=false")
    given = parser.parse_args()
    product = load_products(given.references, given.images)[0]
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        settings = load_settings(data_dir=given.data_dir or folder, backbone=given.backbone)
        with Embedder.open(settings) as embedder:
            manifest = taught_part(settings, embedder, product.references, given.coreset)
            backbone = embedder.backbone
        runtime = Runtime(settings.providers, settings.threads)
        session = OnnxSession(model_path(backbone, settings.data_dir), runtime)
        opened.callback(session.close)
        scales = " and ".join(f"{factor:g}" for factor in manifest.scales.factors)
        print(f"{backbone.name} at scale {scales}, bank of {manifest.patches} patches")
        print(f"| images | answer | HTTP | {' | '.join(_STAGES)} | forward alone | not forward |")
        print("|---|---|---|" + "---|" * (len(_STAGES) + 2))
        client = opened.enter_context(running_service(settings, folder / "log"))
        fields = {"class_name": PART, "return_map": str(not given.no_map).lower()}
        outputs = [*dict.fromkeys((*backbone.patch_outputs, backbone.cls_output))]
        for kind, files in (("good", product.good), ("defective", product.defective)):
            rows, forward = [], []
            for file in (files[0], *files):
                body = file.read_bytes()
                begin = time.perf_counter()
                answer = client.post("/detect", files={"file": body}, data=fields).json()
                waited = (time.perf_counter() - begin) * 1e3
                stages = [answer["timings_ms"][stage] for stage in _STAGES]
                rows.append([waited, waited - answer["processing_time_ms"], *stages])
                image = read_image(file)
                levels = plan_levels(image.size, backbone, manifest.scales)
                inputs = [to_input(image.pixels, level, backbone)[None] for level in levels]
                begin = time.perf_counter()
                for values in inputs:
                    session.run(outputs, values)
                forward.append((time.perf_counter() - begin) * 1e3)
            whole = np.median(np.array(rows[1:]), axis=0)
            alone = float(np.median(forward[1:]))
            cells = " | ".join(f"{value:.1f}" for value in (*whole, alone))
            print(f"| {len(files)} {kind} | {cells} | {1 - alone / whole[0]:.0%} |", flush=True)
        print_steps(product.defective[0], opened.enter_context(Inspector.open(settings)))


if __name__ == "__main__":
    main()
