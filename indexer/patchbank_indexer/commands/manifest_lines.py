"""A bank's facts as people read them, in lines that several commands print."""

from __future__ import annotations

from patchbank.bank.manifest import Calibration, Manifest


def threshold_line(calibration: Calibration) -> str:
    """The image's threshold, and what it promises."""
    return f"{calibration.threshold:.4f} at a target false-alarm rate of {calibration.target_far:.2%}"


def pixel_line(calibration: Calibration) -> str:
    """Where the map is cut, and what that promises."""
    if calibration.pixel_target_far is None:
        return f"{calibration.mask_threshold:.4f}, the image's: calibrated before there was one for pixels"
    return (
        f"{calibration.mask_threshold:.4f}: at most {calibration.pixel_target_far:.2%} of normal images have any pixel "
        "above it"
    )


def inspected_line(manifest: Manifest) -> str:
    """How much of the picture is inspected."""
    return f"{manifest.inspected_percentage:.1f} % of the picture, the rest is ignored"
