"""How well a known defect is named: ``python -m benchmarks.known_defects FOLDER --defect crack``.

Teaches a class of a data set in MVTec's layout from its good pictures, then 1, 3 and 5 defects of one kind, drawn at
random, and judges all other pictures: how many of the kind are named, how many of other kinds are misnamed, and how
many good ones get another verdict. Each picture is embedded and searched once; known defects change no score.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.bank.search import PatchScores
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.errors import DefectNotDistinct
from patchbank.images import read_image
from patchbank.judging.judge import Judge
from patchbank.judging.known_defects import find_matches
from patchbank.scales import DETAILS
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.known_defects import KnownDefects
from patchbank.settings import Settings, load_settings
from patchbank.teaching.defect_teacher import DefectFacts, DefectTeacher
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.datasets.dataset import LabelledImage, some
from patchbank_indexer.datasets.layouts import read_class

_CLASS = "part"


@dataclass(frozen=True)
class Shown:
    """A test picture, its patches (N, D), what the search found, and the verdict without known defects."""

    image: LabelledImage
    searched: PatchScores
    patches: FloatArray
    rejected: bool


@dataclass(frozen=True)
class Draw:
    """What came of some taught defects: numbers of pictures that get the name, of the kind, of other kinds and good
    ones; ``caught`` are defects that the score alone passed, ``changed`` good ones that it passed."""

    taught: int
    patches: int
    refused: int
    own: tuple[int, int]
    others: Counter[str]
    good: int
    caught: int
    changed: int
    ms: float


def main() -> None:
    """Print a row per draw, and means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--defect", default="", help="the kind that is taught; else the first one")
    parser.add_argument("--references", type=int, default=60)
    parser.add_argument("--images", type=int, default=1_000, help="at most so many test pictures of each kind")
    parser.add_argument("--taught", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--detail", default="standard", choices=sorted(DETAILS))
    parser.add_argument("--patch-score", default="nearest", choices=["nearest", "subspace"])
    parser.add_argument("--no-masks", action="store_true", help="don't say where the defect is")
    given = parser.parse_args()
    data = read_class(given.root)
    kinds = sorted({image.kind for image in data.tests})
    defect = given.defect or next(image.kind for image in data.tests if image.defective)
    tests = [
        image
        for kind in kinds
        for image in some([image for image in data.tests if image.kind == kind], given.images, 0)
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder) / "data", backbone=BUILT_IN, keep_versions=1_000)
        with closing(open_store(settings)) as store, Embedder.open(settings) as embedder:
            rule = TeachOptions().scoring.model_copy(update={"patch_score": given.patch_score})
            options = TeachOptions(scales=DETAILS[given.detail], scoring=rule)
            references = some(data.references, given.references, 0)
            manifest = Teacher(settings, embedder, store).teach(_CLASS, references, options=options).manifest
            print(f"{manifest.references} references, {manifest.patches} patches of {manifest.patch_dim} numbers")
            shown = list(_judged(store.bank(_CLASS), embedder, settings, tests))
            _tell_scores(shown)
            teacher = DefectTeacher(settings, embedder, store)
            for count in given.taught:
                rng = np.random.default_rng(0)
                own = [item.image for item in shown if item.image.kind == defect]
                drawn = [[own[place] for place in rng.permutation(len(own))[:count]] for _ in range(given.draws)]
                rows = [_draw(store, teacher, manifest, chosen, shown, not given.no_masks) for chosen in drawn]
                _tell(count, defect, rows, shown)


def _judged(bank: Bank, embedder: Embedder, settings: Settings, tests: Sequence[LabelledImage]) -> Iterator[Shown]:
    manifest = bank.manifest
    judge = Judge.of(bank, InspectedAreas(manifest.roi))
    for image in tests:
        embedding = embedder.embed(read_image(image.file, settings.image_limits), manifest.scales)
        judged = judge.judge(embedding, manifest.calibration.mask_threshold)
        searched = judged.patches
        if manifest.scoring.patch_score == "subspace":  # there the scores are exact, not the distances
            searched = replace(searched, exact=np.zeros_like(searched.exact))
        yield Shown(image, searched, embedding.patches, judged.score > manifest.calibration.threshold)


def _draw(
    store: PatchStore,
    teacher: DefectTeacher,
    base: Manifest,
    chosen: Sequence[LabelledImage],
    shown: Sequence[Shown],
    masks: bool,
) -> Draw:
    store.activate(base.ref)
    refused = 0
    for image in chosen:
        try:
            teacher.add(_CLASS, image.file, DefectFacts(image.kind), mask=image.mask if masks else None)
        except DefectNotDistinct:
            refused += 1
    bank = store.bank(_CLASS)
    records = bank.manifest.defects
    known = KnownDefects.of(bank.manifest)
    named: list[Shown] = []
    spent = []
    taught = {image.file for image in chosen}
    kind = chosen[0].kind
    rest = [item for item in shown if item.image.file not in taught]
    for item in rest if known is not None else ():
        assert known is not None
        begin = time.perf_counter()
        matches = find_matches(bank, item.patches, item.searched, known)
        spent.append((time.perf_counter() - begin) * 1e3)
        if matches is not None:
            named.append(item)
    own = [item for item in named if item.image.kind == kind]
    good = [item for item in named if not item.image.defective]
    return Draw(
        len(chosen),
        sum(record.count for record in records),
        refused,
        (len(own), sum(item.image.kind == kind for item in rest)),
        Counter(item.image.kind for item in named if item.image.defective and item.image.kind != kind),
        len(good),
        sum(not item.rejected for item in named if item.image.defective),
        sum(not item.rejected for item in good),
        median(spent) if spent else 0.0,
    )


def _tell_scores(shown: Sequence[Shown]) -> None:
    total = Counter(item.image.kind for item in shown)
    above = Counter(item.image.kind for item in shown if item.rejected)
    print("rejected by the score: " + ", ".join(f"{kind} {above[kind]} of {total[kind]}" for kind in total))


def _tell(count: int, defect: str, rows: Sequence[Draw], shown: Sequence[Shown]) -> None:
    print(f"\n{count} of {defect} taught, {len(rows)} draws")
    print("| patches | refused | named of the kind | other defects misnamed | good named | caught | changed | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        others = ", ".join(f"{kind} {number}" for kind, number in sorted(row.others.items())) or "0"
        print(
            f"| {row.patches} | {row.refused} | {row.own[0]} of {row.own[1]} | {others} | {row.good} | {row.caught} "
            f"| {row.changed} | {row.ms:.1f} |"
        )
    hits, good = mean(row.own[0] for row in rows), mean(row.good for row in rows)
    misnamed = mean(row.others.total() for row in rows)
    named = hits + misnamed + good
    total = Counter(item.image.defective for item in shown)
    print(
        f"mean: recall {hits / mean(row.own[1] for row in rows):.2f}, precision {hits / named if named else 1:.2f}, "
        f"misnamed {misnamed:.1f} of {total[True] - rows[0].own[1] - count} other defects, {good:.1f} of "
        f"{total[False]} good named, {mean(row.changed for row in rows):.1f} good verdicts changed, "
        f"{mean(row.caught for row in rows):.1f} defects caught that the score passed"
    )


if __name__ == "__main__":
    main()
