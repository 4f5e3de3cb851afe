"""The use case of recalibration: new thresholds for a bank that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from patchbank.bank.manifest import Calibration, Manifest, Reason, ScoringRule
from patchbank.bank.store import PatchStore
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Skipped
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.judging.judge import Judge
from patchbank.progress import SILENT, Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.calibrator import Calibrator
from patchbank.teaching.normal_scores import NormalScore, NotScored, calibration_of, scores_of, split_doubtful
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.rates import Rates
from patchbank.teaching.reader import Reader
from patchbank.teaching.republish import republish
from patchbank.teaching.sightings import Sightings


@dataclass(frozen=True)
class RecalibrateReport:
    """Result of a recalibration. ``doubtful`` are calibration images that score far above the others, worst first: they
    set no threshold, and count as alarms in what is promised."""

    before: Manifest
    manifest: Manifest
    skipped: tuple[Skipped, ...] = ()
    doubtful: tuple[NormalScore, ...] = ()
    warnings: Mapping[str, Sequence[Path]] = field(default_factory=dict)


class Recalibrator:
    """Gives a class new thresholds, as a new version. It shares all parts with the one before: nothing is copied.

    It makes a new version, not a new manifest under the old name, because a verdict names its version: two verdicts of
    one version are sure to have used the same thresholds. Readers notice it like any other version, and ``activate``
    can go back.
    """

    def __init__(self, settings: Settings, store: PatchStore) -> None:
        self.settings = settings
        self.store = store

    def from_known_scores(self, class_name: str, rates: Rates, *, serve: bool = True) -> RecalibrateReport:
        """Set thresholds at other rates, from the scores that the bank was calibrated with. Raises
        ``InvalidParameters`` where the rates contradict."""
        before = self.store.bank(class_name).manifest
        known = before.calibration
        rest = NotScored(known.set_aside, known.together)
        targets = rates.targets(self.settings, known)
        calibration = calibration_of(scores_of(known), known.method, targets, rest, known.stale)
        return RecalibrateReport(before, self._publish(before, calibration, serve=serve))

    def from_images(
        self,
        class_name: str,
        files: Sequence[Path],
        embedder: Embedder,
        rates: Rates,
        *,
        series: Mapping[Path, str] | None = None,
        strict: bool = False,
        keep_all: bool = False,
        serve: bool = True,
        progress: Progress = SILENT,
    ) -> RecalibrateReport:
        """Set thresholds from normal images that the bank does not hold; references among them don't count. Those that
        score far above the others set no threshold and count as alarms, unless ``keep_all``. ``series`` names the
        series that files belong to; each counts once.

        Raises ``InvalidParameters`` where the rates contradict, ``NoReferences`` where none is left,
        ``BackboneMismatch`` where the bank was made with other embeddings, and ``ClassBusy`` where another process is
        changing the class. Nothing is changed in these cases.
        """
        bank = self.store.bank(class_name)
        before = bank.manifest
        CompatibilityChecks(embedder).check(before)
        targets = rates.targets(self.settings, before.calibration)
        areas = InspectedAreas(before.roi)
        values = LearntRange.known(before)
        reader = Reader(self.settings, embedder, areas, progress, values, strict=strict, scales=before.scales)
        calibrator = Calibrator(bank, Judge.of(bank, areas), {}, whole=False)
        images, named = reader.read(files, "calibrating (held out)"), Sightings(series=series)
        scored = calibrator.held_out_scores(images, lambda: reader.skipped, named.series_of)
        normals, doubtful = split_doubtful(scored, keep_all=keep_all)
        calibration = calibration_of(normals, "held-out", targets, NotScored(len(doubtful)))
        manifest = self._publish(before, calibration, serve=serve, progress=progress)
        return RecalibrateReport(before, manifest, tuple(reader.skipped), tuple(doubtful), reader.warnings)

    def _publish(
        self, before: Manifest, calibration: Calibration, *, serve: bool, progress: Progress = SILENT
    ) -> Manifest:
        return self.publish(
            before,
            calibration,
            before.scoring,
            before.subspace,
            reason="recalibrated",
            serve=serve,
            progress=progress,
        )

    def publish(
        self,
        before: Manifest,
        calibration: Calibration,
        rule: ScoringRule,
        subspace: SubspaceRecord | None = None,
        *,
        reason: Reason = "tuned",
        serve: bool = True,
        progress: Progress = SILENT,
    ) -> Manifest:
        """Let the same patches serve with another calibration, whose scores are by ``rule`` and ``subspace``."""
        changes = {"calibration": calibration, "scoring": rule, "subspace": subspace, "reason": reason}
        return republish(self.store, before, changes, serve=serve, progress=progress)
