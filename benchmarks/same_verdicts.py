"""Do two checkouts of this project give the same answers, bit for bit?

::

    python -m benchmarks.same_verdicts OLD NEW [--references 100] [--held-out 40] [--bank DIR]

OLD and NEW are the roots of two checkouts. Each has the virtual environment that ``make demo`` or ``make test`` makes
in ``.venv``; ``--old-commands`` and ``--new-commands`` name the folder of commands of another one. Only what users use
is used: the command ``indexer`` and the REST API.

Both teach the demo's three classes and judge its held-out images, and all their answers are compared: what ``indexer
demo``, ``list``, ``show``, ``detect`` and ``snapshot`` say (manifest, calibration scores, self-test, every vector of
the bank), and what ``/classes`` and ``/detect`` answer (scores, p-values, regions with their nearest normal patches,
the bytes of the maps). Then NEW serves the bank that OLD taught, and must answer as OLD does. ``--bank DIR`` is the
data directory of a bank that OLD taught earlier; then both judge by a copy of it.

Numbers are compared by their shortest exact decimal form, arrays and maps by their bits. Left out are durations and,
between two banks, when and where they were taught. It prints a table, names what differs, and exits with 1 if anything
does. With the default counts it writes about 4 GB of temporary files.
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


def ask(checkout: Checkout, bank: Path, images: Mapping[str, Path]) -> Answers:
    """All that the commands and the service of a checkout say of a bank and, by that bank, of the images."""
    at = ("--data-dir", bank)
    listed = {row["class_name"]: row for row in checkout.indexer("list", *at)["classes"]}
    sample = dict(list(images.items())[:: max(1, len(images) // SAMPLE)])
    judged = checkout.indexer("detect", *sample.values(), "--explain", *at)["results"]
    by_file = {row["image"]: row for row in judged}
    snapshots = {name: checkout.scratch / f"{bank.name}-{name}.zip" for name in listed}
    for name, file in snapshots.items():
        checkout.indexer("snapshot", name, file, *at)
    answers: Answers = {
        "indexer list": listed,
        "indexer show": {name: checkout.indexer("show", name, *at) for name in listed},
        "indexer snapshot": snapshots,
        "indexer detect --explain": {name: by_file[str(file)] for name, file in sample.items()},
    }
    with checkout.serving(bank) as client:
        paths = ["/classes", *(f"/classes/{name}{rest}" for name in listed for rest in ("", "/references?limit=1000"))]
        answers["GET /classes"] = {path: client.get(path).raise_for_status().json() for path in paths}
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


def _detect(client: httpx.Client, file: Path, shown: str) -> dict[str, Any]:
    form = {"map_format": shown, "explain": "true"}
    reply: dict[str, Any] = (
        client.post("/detect", files={"file": file.read_bytes()}, data=form).raise_for_status().json()
    )
    return reply


def print_table(title: str, old: Answers, new: Answers, ignored: frozenset[str]) -> int:
    """One row for each question, then what differs by name; the number of differing values."""
    print(f"\n{title}\n\n| asked | classes or images | values compared | differ | largest difference |")
    print("|---|---|---|---|---|")
    rows = {question: compare(old[question], new[question], ignored) for question in old}
    for question, row in rows.items():
        print(f"| {question} | {len(old[question])} | {row.values} | {row.differing} | {row.distance} |", flush=True)
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
        of_old = ask(old, old_bank, images)
        count = print_table(
            "Taught and judged by each:",
            {**old_demo, **of_old},
            {**new_demo, **ask(new, new_bank, images)},
            durations | OF_THE_TEACHING,
        )
        if given.bank is not None:
            old_bank = Path(shutil.copytree(given.bank, Path(scratch) / "earlier"))
            of_old = ask(old, old_bank, images)
        title = "Taught by OLD now" if given.bank is None else "Taught by OLD earlier"
        count += print_table(f"{title}, judged by each:", of_old, ask(new, old_bank, images), durations)
    print(f"\n{count} values differ")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
