"""The false-alarm rates that a caller asks for, and those that apply where the caller leaves some out."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.bank.manifest import Calibration
from patchbank.scoring.threshold import Targets, check_targets
from patchbank.settings import Settings


@dataclass(frozen=True)
class Rates:
    """Target false-alarm rates: of images, and of images with any pixel above; the rate of review, and the confidence
    (0: none). None takes the bank's, or else the settings'; for pixels always the settings'."""

    images: float | None = None
    pixels: float | None = None
    review: float | None = None
    confidence: float | None = None

    def targets(self, settings: Settings, known: Calibration | None = None) -> Targets:
        """The rates for a new bank, or for one that was calibrated already. Raises ``InvalidParameters`` where they
        contradict."""
        reject = self.images or (settings.target_far if known is None else known.target_far)
        check_targets(reject, self.review, self.confidence)
        review, confidence = (None, None) if known is None else (known.review_far, known.confidence)
        return Targets(
            reject,
            self.review or review or settings.review_far,
            self.pixels or settings.pixel_target_far,
            confidence if self.confidence is None else self.confidence or None,
        )
