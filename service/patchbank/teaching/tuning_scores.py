"""Scores of labelled pictures, and of references that are left out, at one detail and by several scoring rules.

The class that serves is not touched: another detail gets a bank of its own in a temporary folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Foreground, Manifest, ScoringRule
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank, BankSpec, Draft
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.stream import Skipped
from patchbank.embedding.turned import Turn
from patchbank.judging.judge import Judge
from patchbank.judging.normal_subspaces import NormalSubspaces
from patchbank.progress import Progress
from patchbank.scales import Scales, detail_of
from patchbank.scoring.foreground import SAMPLES, Sample, learn_foreground
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.feed import PatchFeed
from patchbank.teaching.groups import Groups
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.reader import Reader
from patchbank.teaching.reference_patches import taught_embedding
from patchbank.teaching.shelf import KeptEmbeddings, Shelf
from patchbank.teaching.tuning_candidates import widest

MOST_PATCHES: Final = 60_000
"""Patches of a bank that is made for a trial, drawn at random: a fine detail of many references would take long."""

RuleScores = tuple[float, ...]
"""One picture's image score by each rule."""


@dataclass(frozen=True)
class Labelled:
    """Labelled pictures: with defects, and of good parts."""

    defects: Sequence[Path]
    good: Sequence[Path] = ()


@dataclass(frozen=True)
class DetailScores:
    """What one detail makes of all pictures: scores by rule of ``normal`` references left out, and of the ``defects``
    and ``good`` pictures by image id. ``cells`` is the usual number of inspected patches of a picture, ``patches`` the
    number in the bank that was searched; ``ms`` is the mean time per labelled picture of embedding and search."""

    scales: Scales
    normal: Sequence[RuleScores]
    defects: Mapping[str, RuleScores]
    good: Mapping[str, RuleScores]
    cells: float
    patches: int
    ms: float
    skipped: Sequence[Skipped]


class DetailScorer:
    """Scores pictures as the class ``before`` would, by several scoring ``rules``. ``groups`` are those of its
    references: what shows the same is left out together, and scored once."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        before: Manifest,
        groups: Groups,
        rules: Sequence[ScoringRule],
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._before = before
        self._groups = groups
        self._rules = rules
        self._progress = progress
        self._areas = InspectedAreas(before.roi)

    def from_files(
        self, scales: Scales, references: Mapping[str, Path], turns: Sequence[Turn], labelled: Labelled
    ) -> DetailScores:
        """Scores at ``scales`` against a bank of the files of ``references``, by image id, at most ``MOST_PATCHES``."""
        name, reader = detail_of(scales), self._reader(scales)
        spec = BankSpec(*self._embedder.dimensions(scales))
        with (
            TemporaryDirectory(prefix="patchbank-tune-") as folder,
            closing(EdgeStore(Path(folder) / "bank")) as store,
            store.draft("trial", spec) as draft,
            Shelf() as shelf,
        ):
            kept = KeptEmbeddings(shelf)
            sink = _Drawn(draft, MOST_PATCHES // len(references))
            feed = PatchFeed(
                sink,
                1.0,
                np.iinfo(np.int64).max,
                len(references),
                self._areas,
                self._progress,
                lambda images, patches: store.require_space("trial", spec, images, min(patches, MOST_PATCHES)),
            )
            for seen in reader.read(list(references.values()), f"{name}: references", turns):
                if seen.picture.image_id in references:
                    feed.add(seen)
                    kept.add(seen.picture.image_id, replace(seen.embedding, plain=None))
            feed.finish()
            draft.seal()
            foreground = None
            if self._before.foreground is not None:
                samples = [kept[image_id] for image_id in list(kept)[:SAMPLES]]
                foreground = learn_foreground([Sample(one.patches, self._areas.on(one.grid)) for one in samples])
            judge = self._judge(draft, foreground)
            apart = self._apart(list(kept))
            left_out = ((image_id, kept[image_id]) for image_id in apart)
            return self._scores(scales, judge, left_out, len(apart), draft.count_patches(), reader, labelled)

    def from_bank(self, bank: Bank, references: Sequence[Reference], labelled: Labelled) -> DetailScores:
        """Scores at the class's own scales against its own bank, which must hold all patches of the ``references``
        that are left out in turn."""
        manifest = bank.manifest
        judge = self._judge(bank, manifest.foreground)
        by_id = {reference.image_id: reference for reference in references}
        apart = self._apart(list(by_id))
        left_out = ((image_id, taught_embedding(bank, by_id[image_id], self._areas)) for image_id in apart)
        reader = self._reader(manifest.scales)
        return self._scores(manifest.scales, judge, left_out, len(apart), manifest.patches, reader, labelled)

    def _judge(self, held: Bank | Draft, foreground: Foreground | None) -> Judge:
        """Scores patches by their nearest, and knows the subspaces."""
        rule = widest(self._rules).model_copy(update={"patch_score": "nearest"})
        return Judge(held, rule, foreground, self._areas, NormalSubspaces(held))

    def _scores(
        self,
        scales: Scales,
        judge: Judge,
        left_out: Iterator[tuple[str, Embedding]],
        count: int,
        patches: int,
        reader: Reader,
        labelled: Labelled,
    ) -> DetailScores:
        steps = self._progress.begin(f"{detail_of(scales)}: leaving references out", count)
        normal, cells = [], []
        for image_id, embedding in left_out:
            normal.append(self._score(judge, embedding, self._groups.of(image_id)))
            cells.append(np.count_nonzero(self._areas.on(embedding.grid).cells))
            steps.advance()
        by_label: list[dict[str, RuleScores]] = []
        begin = time.perf_counter()
        for label, files in (("defects", labelled.defects), ("good pictures", labelled.good)):
            scored: dict[str, RuleScores] = {}
            if files:
                for seen in reader.read(files, f"{detail_of(scales)}: {label}"):
                    scored[seen.picture.image_id] = self._score(judge, seen.embedding)
            by_label.append(scored)
        spent = time.perf_counter() - begin
        defects, good = by_label
        ms = 1e3 * spent / max(1, len(defects) + len(good))
        return DetailScores(scales, normal, defects, good, float(np.mean(cells)), patches, ms, tuple(reader.skipped))

    def _score(self, judge: Judge, embedding: Embedding, left_out: Sequence[str] = ()) -> RuleScores:
        judged = judge.judge(embedding, left_out=left_out)
        by_kind = {"nearest": judged.patches.scores}
        if judge.subspaces is not None:
            subspace = judge.subspaces.without(left_out)
            by_kind["subspace"] = subspace.scores(embedding.patches, judged.patches.counts)
        return tuple(image_score(by_kind[rule.patch_score][judged.area.cells], rule) for rule in self._rules)

    def _apart(self, image_ids: Sequence[str]) -> list[str]:
        """The images without those that an earlier one is left out together with."""
        seen: dict[int, str] = {}
        for number, image_id in zip(self._groups.numbers(image_ids), image_ids, strict=True):
            seen.setdefault(number, image_id)
        return list(seen.values())

    def _reader(self, scales: Scales) -> Reader:
        values = LearntRange.known(self._before)
        return Reader(self._settings, self._embedder, self._areas, self._progress, values, strict=False, scales=scales)


class _Drawn:
    """Passes on so many patches of each image, drawn at random."""

    def __init__(self, draft: Draft, quota: int) -> None:
        self._draft = draft
        self._quota = max(1, quota)
        self._rng = np.random.default_rng(0)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        count = min(self._quota, len(vectors))
        places = np.sort(self._rng.choice(len(vectors), count, replace=False))
        self._draft.add_patches([image_ids[place] for place in places], cells[places], vectors[places])
