"""Is each new picture one of a class that is taught already? The class's own limits say so."""

from __future__ import annotations

from collections.abc import Mapping

from patchbank.bank.search_together import FirstLook
from patchbank.bank.store import Bank
from patchbank.embedding.stream import Seen
from patchbank.judging.judge import Judge
from patchbank.judging.retriever import Likeness
from patchbank.scoring.frame import frame_fault
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.known_defects import KnownDefects
from patchbank.scoring.most_alike import MostAlike
from patchbank.scoring.odd_ones import odd_ones
from patchbank.teaching.normal_scores import NormalScore
from patchbank.teaching.reference_check import ReferenceCheck
from patchbank.teaching.set_aside import SetAside


class KnownClassCheck:
    """Judges each new picture by the bank that it would join: the frame, class retrieval, known defects, and the score,
    which may be above the threshold (new kinds of good parts are), but not far above all that is known."""

    def __init__(self, bank: Bank, areas: InspectedAreas) -> None:
        self.remarks: list[str] = []
        self.scored: dict[str, NormalScore] = {}
        self.first_looks: Mapping[str, FirstLook] = {}
        self._bank = bank
        self._judge = Judge.of(bank, areas, KnownDefects.of(bank.manifest))
        self._likeness = Likeness(bank, areas, MostAlike())

    def admit(self, seen: Seen, group: int) -> SetAside | None:
        manifest, picture = self._bank.manifest, seen.picture
        fault = None if manifest.frames is None else frame_fault(picture.frame, manifest.frames)
        if fault is not None:
            return SetAside(picture, "bad_frame", f"{fault}, compared with the class's references")
        if not self._likeness.holds(seen.embedding):
            return SetAside(picture, "unlike_class")
        judged = self._judge.judge(seen.embedding)
        score, image_id = judged.score, picture.image_id
        self.scored[image_id] = NormalScore(score, judged.peak, image_id=image_id, support=judged.support)
        if judged.matches is not None:
            named = judged.matches.nearest
            return SetAside(picture, "known_defect", f"{named.name}, similarity {named.similarity:.2f}")
        if odd_ones([score], manifest.calibration.scores, rare=True)[0]:
            detail = f"score {score:.3f} at a threshold of {manifest.calibration.threshold:.3f}"
            return SetAside(picture, "local_oddity", detail)
        return None

    def passed(self) -> ReferenceCheck:
        return self

    def finish(self) -> list[SetAside]:
        return []

    def close(self) -> None:
        """Nothing is under way."""
