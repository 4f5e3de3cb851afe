"""A bank's facts as people read them, in lines that several commands print."""

from __future__ import annotations

from patchbank.bank.manifest import Calibration, Manifest
from patchbank.scoring.threshold import review_threshold


def threshold_line(calibration: Calibration) -> str:
    """The image's threshold, and what it promises."""
    return f"{calibration.threshold:.4f} at a target false-alarm rate of {calibration.target_far:.2%}"


def review_line(calibration: Calibration) -> str:
    """The threshold of review, and what it promises."""
    return f"{review_threshold(calibration):.4f} at a target rate of {calibration.review_rate:.2%}"


def pixel_line(calibration: Calibration) -> str:
    """Where the map is cut, and what that promises."""
    if calibration.pixel_target_far is None:
        return f"{calibration.mask_threshold:.4f}, the image's: calibrated before there was one for pixels"
    return (
        f"{calibration.mask_threshold:.4f}: at most {calibration.pixel_target_far:.2%} of normal images have any pixel "
        "above it"
    )


def frames_line(manifest: Manifest) -> str:
    """What a picture of the class must have, not to be a bad frame."""
    limits = manifest.frames
    if limits is None:
        return "not tested: taught before there was a test; teach the class again to have one"
    return (
        f"contrast below {limits.contrast:.1f} (usual: {limits.usual_contrast:.1f}) or sharpness below "
        f"{limits.sharpness:.2f} (usual: {limits.usual_sharpness:.2f}), from {limits.count} references"
    )


def inspected_line(manifest: Manifest) -> str:
    """How much of the picture is inspected."""
    return f"{manifest.inspected_percentage:.1f} % of the picture, the rest is ignored"


def serving_line(manifest: Manifest, *, serves: bool) -> str:
    """Which version was made, how large it is, and whether it serves."""
    name, version = manifest.class_name, manifest.version
    size = f"{manifest.references} reference images, {manifest.patches} patches"
    if serves:
        return f"{name}: version {version} serves; {size}"
    return (
        f"{name}: version {version} waits, and the one before serves; {size}. Try it with `detect --class-name {name} "
        f"--version {version}`, then `activate {name} {version}`"
    )
