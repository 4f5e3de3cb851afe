"""Do two checkouts of this project give the same answers, bit for bit?

::

    python -m benchmarks.same_verdicts OLD NEW [--references 100] [--held-out 40] [--bank DIR] [--rounding 1e-6]

OLD and NEW are the roots of two checkouts. Each has the virtual environment that ``make demo`` or ``make test`` makes
in ``.venv``; ``--old-commands`` and ``--new-commands`` name the folder of commands of another one. Only what users use
is used: the command ``indexer`` and the REST API.

First, both teach the demo's three classes and judge its held-out images, each by its own banks. Compared are the
answers of ``indexer demo`` (scores, p-values, regions, overlays with the masks drawn in), ``list``, ``show`` and
``snapshot`` (manifest, calibration scores, self-test, every vector of the bank).

Then both judge by the same bank, the one that OLD has just taught or taught earlier (``--bank``, its data directory; a
copy of it is served). Compared are the answers of the same commands and of ``detect``, ``/classes`` and ``/detect``:
scores, regions with their nearest normal patches, and all bytes of the maps.

Numbers are compared by their shortest exact decimal form, arrays and pictures by their bits. Left out are durations
and, between two banks, when and where they were taught. Scores by two banks of 20,000 patches or more may differ by
``--rounding``, even where one checkout taught both: the engine draws the search graph and the range of int8 at random,
so other patches are searched exactly, and a patch that is searched alone is rounded otherwise than among others.
Smaller banks have no graph, and ``--references 19 --rounding 0`` must show no difference at all.

It prints two tables and names what differs. The exit status is 1 if anything differs by more than that. With the
default counts it writes about 3 GB of temporary files.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.checkout import Checkout
from benchmarks.comparison import compare

DURATIONS: Final = frozenset({"timings_ms", "processing_time_ms"})
OF_THE_TEACHING: Final = frozenset({"version", "bank_version", "versions", "created_at", "added_at", "source"})
"""Fields that name when and where a bank was taught, so that no two banks share them."""
SAMPLE: Final = 12
"""Images that are also judged by command and drawn as overlays."""
NAMED: Final = 20
"""Differing values that are printed for each row of the table."""

Answers = dict[str, dict[str, Any]]
"""By what was asked, then by class or image: JSON documents, picture bytes, or the path of a snapshot."""


def run_demo(checkout: Checkout, bank: Path, references: int, held_out: int) -> tuple[Answers, dict[str, Path]]:
    """Teach the demo's classes into ``bank``; the demo's answers and overlays, and the held-out images by name."""
    out = checkout.scratch / "demo"
    counts = ("--references", references, "--held-out", held_out)
    results = checkout.indexer("demo", "--data-dir", bank, "--out", out, *counts, "--backbone", checkout.backbone)
    images, verdicts, overlays = {}, {}, {}
    for row in results["images"]:
        image, overlay = Path(row.pop("image")), row.pop("overlay")
        name = f"{row['product']}/{'defective' if row['defective'] else 'good'}/{image.name}"
        images[name], verdicts[name] = image, row
        if overlay is not None:
            overlays[name] = Path(overlay).read_bytes()
    summary = {row["class"]: row for row in results["classes"]}
    return {
        "indexer demo: summary": summary,
        "indexer demo: verdicts": verdicts,
        "indexer demo: overlays": overlays,
    }, images


def describe(checkout: Checkout, bank: Path) -> Answers:
    """What the commands say of every class in a bank."""
    at = ("--data-dir", bank)
    listed = {row["class_name"]: row for row in checkout.indexer("list", *at)["classes"]}
    snapshots = {name: checkout.scratch / f"{bank.name}-{name}.zip" for name in listed}
    for name, file in snapshots.items():
        checkout.indexer("snapshot", name, file, *at)
    return {
        "indexer list": listed,
        "indexer show": {name: checkout.indexer("show", name, *at) for name in listed},
        "indexer snapshot": snapshots,
    }


def judge(checkout: Checkout, bank: Path, images: Mapping[str, Path]) -> Answers:
    """What the commands and the service say of the images, and the service of the classes, by a bank."""
    sample = dict(list(images.items())[:: max(1, len(images) // SAMPLE)])
    judged = checkout.indexer("detect", *sample.values(), "--explain", "--data-dir", bank)["results"]
    by_file = {row["image"]: row for row in judged}
    answers: Answers = {"indexer detect --explain": {name: by_file[str(file)] for name, file in sample.items()}}
    with checkout.serving(bank) as client:
        answers["GET /classes"] = classes = {"/classes": _get(client, "/classes")}
        for row in classes["/classes"]["classes"]:
            for path in (f"/classes/{row['class_name']}", f"/classes/{row['class_name']}/references?limit=1000"):
                classes[path] = _get(client, path)
        for shown, asked in (("gray16", images), ("overlay", sample), ("heatmap", sample)):
            replies: dict[str, Any] = {}
            maps: dict[str, bytes] = {}
            for name, file in asked.items():
                replies[name] = _detect(client, file, shown)
                encoded = replies[name].pop("anomaly_map_base64")
                if encoded is not None:  # an unknown product has no map
                    maps[name] = base64.b64decode(encoded)
            answers[f"POST /detect {shown}: verdicts"] = replies
            answers[f"POST /detect {shown}: maps"] = maps
    return answers


def _get(client: httpx.Client, path: str) -> Any:
    return client.get(path).raise_for_status().json()


def _detect(client: httpx.Client, file: Path, shown: str) -> dict[str, Any]:
    form = {"map_format": shown, "explain": "true"}
    reply: dict[str, Any] = (
        client.post("/detect", files={"file": file.read_bytes()}, data=form).raise_for_status().json()
    )
    return reply


def print_table(title: str, old: Answers, new: Answers, ignored: frozenset[str], rounding: float) -> int:
    """Print one row per question, then what differs by name; the number of values that differ by more than rounding."""
    print(f"\n{title}\n")
    heads = ("asked", "classes or images", "values", "differ", "differ by rounding", "largest difference")
    print(f"| {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|")
    rows = {question: compare(old[question], new[question], ignored, rounding) for question in old}
    for question, row in rows.items():
        counts = f"{len(old[question])} | {row.values} | {row.differing} | {row.rounded}"
        print(f"| {question} | {counts} | {row.distance} |", flush=True)
    for question, row in rows.items():
        for text in row.named[:NAMED]:
            print(f"differs: {question}: {text}")
        if len(row.named) > NAMED:
            print(f"differs: {question}: and {len(row.named) - NAMED} more")
    return sum(row.differing for row in rows.values())


def main() -> int:
    """Ask both checkouts and compare; 1 if any answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--references", type=int, default=100, help="reference images per class")
    parser.add_argument("--held-out", type=int, default=40, help="good, and as many defective, images per class")
    parser.add_argument("--bank", type=Path, help="data directory of a bank that OLD taught earlier")
    parser.add_argument("--rounding", type=float, default=1e-6, help="of scores between two banks")
    parser.add_argument("--backbone", default="efficientnet-lite2")
    parser.add_argument("--old-commands", type=Path, help="instead of OLD/.venv/bin")
    parser.add_argument("--new-commands", type=Path, help="instead of NEW/.venv/bin")
    parser.add_argument("--ignore", action="append", default=[], metavar="FIELD", help="leave a field out as well")
    given = parser.parse_args()
    durations = DURATIONS.union(given.ignore)
    with tempfile.TemporaryDirectory() as scratch:
        checkouts = []
        for name, root, named in (("old", given.old, given.old_commands), ("new", given.new, given.new_commands)):
            folder = Path(scratch) / name
            folder.mkdir()
            # absolute() and not resolve(): an environment's python is a link out of it
            checkouts.append(Checkout(name, (named or root / ".venv" / "bin").absolute(), folder, given.backbone))
            print(f"{name}: {checkouts[-1].origin()}", flush=True)
        old, new = checkouts
        old_bank, new_bank = old.scratch / "bank", new.scratch / "bank"
        old_demo, images = run_demo(old, old_bank, given.references, given.held_out)
        new_demo, _ = run_demo(new, new_bank, given.references, given.held_out)
        count = print_table(
            "Taught and judged by each:",
            old_demo | describe(old, old_bank),
            new_demo | describe(new, new_bank),
            durations | OF_THE_TEACHING,
            given.rounding,
        )
        shutil.rmtree(new_bank)
        if given.bank is not None:
            old_bank = Path(shutil.copytree(given.bank, Path(scratch) / "earlier"))
        title = f"Taught by OLD {'now' if given.bank is None else 'earlier'}, judged by each:"
        of_old, of_new = (describe(side, old_bank) | judge(side, old_bank, images) for side in checkouts)
        count += print_table(title, of_old, of_new, durations, 0.0)
    print(f"\n{count} values differ")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
