"""Is each new picture one of a class that is taught already? The class's own limits say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patchbank.bank.store import Bank
from patchbank.embedding.stream import Seen
from patchbank.judging.judge import Judge
from patchbank.scoring.class_retrieval import WITNESSES, resembles
from patchbank.scoring.coherence import least_coherence
from patchbank.scoring.frame import frame_fault
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.odd_ones import odd_ones
from patchbank.teaching.calibrator import NormalScore
from patchbank.teaching.reference_check import ReferenceCheck, split_doubtful
from patchbank.teaching.set_aside import SetAside


class KnownClassCheck:
    """Judges each new picture by the bank that it would join: the frame, class retrieval, and the score, which may be
    above the threshold (new kinds of good parts are), but not far above all that is known."""

    def __init__(self, bank: Bank, areas: InspectedAreas) -> None:
        self.remarks: list[str] = []
        self._bank = bank
        self._judge = Judge.of(bank, areas)
        self._areas = areas
        self._image_ids, self._cls = bank.cls_vectors()

    def admit(self, seen: Seen, group: int) -> SetAside | None:
        manifest, picture = self._bank.manifest, seen.picture
        if picture.image_id in self._image_ids:
            return None
        fault = None if manifest.frames is None else frame_fault(picture.frame, manifest.frames)
        if fault is not None:
            return SetAside(picture, "bad_frame", f"{fault}, compared with the class's references")
        similarity = self._cls @ seen.embedding.cls
        order = np.argsort(-similarity, kind="stable")[:WITNESSES]

        def coherence() -> float:
            patches = self._areas.on(seen.embedding.grid).patches(seen.embedding.patches)
            return least_coherence(patches, [self._bank.image_patches(self._image_ids[place]) for place in order])

        if not resembles(float(similarity[order[0]]), manifest.retrieval, coherence):
            return SetAside(picture, "unlike_class")
        score = self._judge.judge(seen.embedding).score
        if odd_ones([score], manifest.calibration.scores, rare=True)[0]:
            detail = f"score {score:.3f} at a threshold of {manifest.calibration.threshold:.3f}"
            return SetAside(picture, "local_oddity", detail)
        return None

    def split(self, scores: Sequence[NormalScore]) -> tuple[list[NormalScore], list[NormalScore]]:
        return split_doubtful(scores)

    def passed(self) -> ReferenceCheck:
        return self

    def finish(self) -> list[SetAside]:
        return []
