"""Scores of normal images that a bank does not hold: its thresholds and limits are computed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import RetrievalLimit
from patchbank.bank.search_together import FirstLook
from patchbank.bank.store import Bank, Draft, ManyIndex
from patchbank.embedding.embedding import Embedding
from patchbank.embedding.stream import Seen, Skipped
from patchbank.errors import NoReferences
from patchbank.judging.judge import Judge, ToJudge
from patchbank.judging.retriever import base_coherence
from patchbank.progress import Progress
from patchbank.scoring.class_retrieval import WITNESSES, retrieval_limit
from patchbank.scoring.most_alike import MostAlike
from patchbank.teaching.groups import Groups
from patchbank.teaching.normal_scores import NormalScore
from patchbank.teaching.reasons import reasons

WITNESSED: Final = 40
"""References that are left out one by one to learn a class's usual coherence."""

NONE_SEEN: Final[Mapping[str, FirstLook]] = MappingProxyType({})

_AT_ONCE: Final = 1 << 25
"""Numbers of the patches that are searched for together; they take 128 MB."""

NONE_SCORED: Final[Mapping[str, NormalScore]] = MappingProxyType({})


class Calibrator:
    """Scores images against a finished bank, or a sealed draft, with the ``judge`` that will serve.

    ``kept`` holds embeddings of some references by image id, ``groups`` which ones show the same. Where the bank holds
    ``whole`` images (all inspected patches of each), their patches need not be read back. ``scored`` are images that
    were scored against the same bank already, with nothing but themselves left out. ``together`` searches the same
    patches for many images at once, and ``first_looks`` are what is known of some of them, by image id.
    """

    def __init__(
        self,
        bank: Bank | Draft,
        judge: Judge,
        kept: Mapping[str, Embedding],
        *,
        whole: bool,
        groups: Groups = Groups.ALONE,
        scored: Mapping[str, NormalScore] = NONE_SCORED,
        together: ManyIndex | None = None,
        first_looks: Mapping[str, FirstLook] = NONE_SEEN,
    ) -> None:
        self._bank = bank
        self._judge = judge
        self._kept = kept
        self._whole = whole
        self._groups = groups
        self._scored = scored
        self._together = together
        self._first_looks = first_looks

    def score(
        self,
        embedding: Embedding,
        left_out: Sequence[str] = (),
        path: Path | None = None,
        series: str = "",
        image_id: str = "",
    ) -> NormalScore:
        """Scores of an image against the bank; the patches of the images ``left_out`` are left out."""
        judged = self._judge.judge(embedding, left_out=left_out)
        return NormalScore(judged.score, judged.peak, path, series, image_id, judged.support)

    def left_out_scores(self, progress: Progress) -> list[NormalScore]:
        """Scores of the kept references, each against the bank without it, without what shows the same and without its
        series. Of pictures that show the same only the first is scored. Raises ``NoReferences`` for fewer than two
        references, and where all are of one series."""
        image_ids = self._bank.cls_vectors()[0]
        first = [image_id for image_id in self._kept if self._groups.is_first(image_id)]
        if len(image_ids) < 2:
            raise NoReferences(
                "leave-one-image-out calibration needs at least two different reference images; "
                "add more, or give normal images with --calibrate-with"
            )
        if len(set(self._groups.numbers(image_ids))) < 2:
            raise NoReferences(
                f"all {len(image_ids)} reference images are of one series: left out together, they leave nothing to "
                "compare with; group them otherwise, or give normal images with --calibrate-with"
            )
        if not first:
            return []
        steps = progress.begin("calibrating (leave one out)", len(first))
        made: dict[str, NormalScore] = {}
        done = 0
        together: list[tuple[str, ToJudge]] = []
        for image_id in first:
            left_out, series = self._groups.of(image_id), self._groups.series_of(image_id)
            known = self._scored.get(image_id)
            if known is not None and left_out == [image_id]:
                made[image_id] = replace(known, series=series)
            elif self._together is None or self._judge.rule.patch_score != "nearest":
                made[image_id] = self.score(self._kept[image_id], left_out, series=series, image_id=image_id)
            else:
                together.append((image_id, ToJudge(self._kept[image_id], left_out, self._first_look(image_id))))
                if sum(image.embedding.patches.size for _, image in together) < _AT_ONCE:
                    continue
                made.update(self._scores_of(self._together, together))
                together.clear()
            steps.advance(len(made) - done)
            done = len(made)
        if self._together is not None:
            made.update(self._scores_of(self._together, together))
        steps.advance(len(made) - done)
        return [made[image_id] for image_id in first]

    def _scores_of(self, index: ManyIndex, images: Sequence[tuple[str, ToJudge]]) -> dict[str, NormalScore]:
        """Scores of references that are searched for together, by image id."""
        judged = self._judge.judge_each(index, [image for _, image in images])
        return {
            image_id: NormalScore(each.score, each.peak, None, self._groups.series_of(image_id), image_id, each.support)
            for (image_id, _), each in zip(images, judged, strict=True)
        }

    def _first_look(self, image_id: str) -> FirstLook | None:
        """What is known of an image's patches, where none of the images that are left out with it told it."""
        first = self._first_looks.get(image_id)
        if first is None or self._judge.rule.neighbours > 1:
            return None
        return first if set(self._groups.of(image_id)).isdisjoint(first.images) else None

    def held_out_scores(
        self,
        images: Iterable[Seen],
        skipped: Callable[[], Sequence[Skipped]],
        series_of: Callable[[Path], str] = lambda _: "",
    ) -> list[NormalScore]:
        """Scores of normal images that are not references, each picture once, with the series that ``series_of`` names
        for its file. Raises ``NoReferences`` where none is left; ``skipped`` then tells the files that could not be
        used."""
        doubled = 0
        known = set(self._bank.cls_vectors()[0])
        scores = []
        for image in images:
            if image.picture.image_id not in known:
                known.add(image.picture.image_id)
                path, image_id = image.picture.path, image.picture.image_id
                scored = self.score(image.embedding, path=path, series=series_of(path), image_id=image_id)
                scores.append(scored)
            else:
                doubled += 1
        if not scores:
            why = [f"{doubled} are references of the class too"] if doubled else []
            why += [reasons(skipped())] if skipped() else []
            raise NoReferences(f"no calibration image can be used: {'; '.join(why) or 'there is none'}")
        return scores

    def extended_retrieval_limit(self, known: RetrievalLimit) -> RetrievalLimit:
        """The limit of an extended bank. It keeps the coherence of the ``known`` limit: more references can only bring
        an image nearer."""
        image_ids, cls = self._bank.cls_vectors()
        limit = retrieval_limit(cls, [], self._groups.numbers(image_ids))
        return limit.model_copy(update={"coherence": known.coherence, "witnesses": known.witnesses})

    def retrieval_limit(self) -> RetrievalLimit:
        """How near an image must be to be of this class, from references left out one by one."""
        image_ids, cls = self._bank.cls_vectors()
        coherences, most_alike = [], MostAlike()
        first = [image_id for image_id in self._kept if self._groups.is_first(image_id)]
        for image_id in first[:WITNESSED]:
            embedding = self._kept[image_id]
            order = np.argsort(-(cls @ embedding.cls))
            own = self._groups.of(image_id)
            others = [image_ids[place] for place in order if image_ids[place] not in own]
            witnesses = [self._patches_of(other) for other in others[:WITNESSES]]
            coherences.append(base_coherence(embedding, self._judge.areas, witnesses, most_alike))
        return retrieval_limit(cls, coherences, self._groups.numbers(image_ids))

    def _patches_of(self, image_id: str) -> FloatArray:
        if self._whole and image_id in self._kept:
            return self._inspected(self._kept[image_id])
        return self._bank.image_patches(image_id)

    def _inspected(self, embedding: Embedding) -> FloatArray:
        return self._judge.areas.on(embedding.grid).patches(embedding.patches)
