"""Each detail on each data set, the whole product: ``python -m benchmarks.details --mvtec NAME=FOLDER``.

A row is one class at one detail: taught from ``--references`` images in a store of its own, with all defaults, then
judged on at most ``--tests`` good and as many defective images. ``standard+subspace`` scores patches by the subspace;
``before`` is the detail ``fast`` with the image score of the highest 1 % of patch scores. Recall and false alarms are
those of the thresholds that calibration set for 1 % and 5 %. AUPRO where the data set has masks. ``ms`` is the median
time of a request in this process.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from patchbank.bank.manifest import ScoringRule
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank_indexer.datasets.dataset import ClassData, LabelledImage
from patchbank_indexer.datasets.layouts import read_class
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.evaluate.job import EvaluateRequest, judge_classes
from patchbank_indexer.output import Output

_HEAD = "data set | detail | references | tests | AUROC | AUPRO | found at 1 % | alarms | found at 5 % | alarms | ms"


def main() -> None:
    """Print one row per data set and detail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mvtec", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--references", type=int, default=60)
    parser.add_argument("--tests", type=int, default=40)
    parser.add_argument("--details", nargs="+", default=["before", "fast", "standard", "fine"])
    parser.add_argument("--only", nargs="+")
    given = parser.parse_args()
    print(f"| {_HEAD} |\n|{'---|' * (_HEAD.count('|') + 1)}", flush=True)
    for detail in given.details:
        for data in _data_sets(given.mvtec, given.references, given.tests):
            if not given.only or data.name in given.only:
                print(_row(data, detail), flush=True)


def _data_sets(mvtec: list[str], references: int, tests: int) -> list[ClassData]:
    found = []
    for product in load_products(references, tests, 0):
        good = tuple(LabelledImage(file, "good", False) for file in product.good)
        bad = tuple(LabelledImage(file, "defective", True) for file in product.defective)
        found.append(ClassData(product.class_name, product.references, good + bad))
    for item in mvtec:
        name, _, folder = item.partition("=")
        data = read_class(Path(folder))
        found.append(ClassData(name, data.references, data.tests).sample(references, tests))
    return found


def _row(data: ClassData, detail: str) -> str:
    sight, _, kind = detail.partition("+")
    facts = {"image_score": "top1"} if sight == "before" else {"patch_score": kind or "nearest"}
    rule = ScoringRule.model_validate(facts)
    sight = "fast" if sight == "before" else sight
    settings = load_settings(detail=sight, backbone="efficientnet-lite2", search_workers=0)
    request = EvaluateRequest(Path(), options=TeachOptions(scoring=rule))
    figures = judge_classes(settings, Output(as_json=False), [data], request)[0].as_dict()
    rates = {row["rate"]: row for row in figures["rates"]}
    images = figures["images"]
    cells = [
        data.name,
        detail,
        str(figures["bank"]["references"]),
        f"{images['good']} + {images['defective']}",
        f"{figures['image']['auroc']:.3f}",
        f"{figures['pixel']['aupro']:.3f}" if figures["pixel"] else "-",
        *(cell for rate in (0.01, 0.05) for cell in _found(rates[rate], images)),
        f"{figures['latency_ms']['p50']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _found(row: dict[str, Any], images: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{round(row[name] * images[kind])} of {images[kind]}"
        for name, kind in (("recall", "defective"), ("false_alarm_rate", "good"))
    )


if __name__ == "__main__":
    main()
