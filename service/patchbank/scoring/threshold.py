"""Thresholds and p-values of a class, from the scores of normal images that its bank does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from patchbank.bank.manifest import Calibration
from patchbank.errors import InvalidParameters, NoReferences
from patchbank.scoring.conformal import Cut, Sample, images_needed

PIXEL_TARGET_FAR: Final = 0.1
"""Share of normal images that may have any pixel above the pixel threshold (docs/thresholds.md)."""

CONFIDENCE: Final = 0.95
"""The confidence that is told of where none is asked for."""


class Targets(NamedTuple):
    """Rates of normal images that are asked for: ``reject`` and ``review`` by their score, ``pixels`` with any pixel
    above the pixel threshold. With a ``confidence`` the first two hold with it, not only on average."""

    reject: float
    review: float | None = None
    pixels: float = PIXEL_TARGET_FAR
    confidence: float | None = None


def check_targets(reject: float, review: float | None, confidence: float | None) -> None:
    """Raise ``InvalidParameters`` where a review rate that is asked for is below the reject rate, or the confidence is
    none; 0 is no confidence, on average."""
    if review is not None and review < reject:
        raise InvalidParameters(
            f"the review rate ({review:.2%}) is below the reject rate ({reject:.2%}): whatever is rejected would be "
            "for review too; ask for a higher --review-far or a lower --target-far"
        )
    if confidence and not 0.5 <= confidence < 1:
        raise InvalidParameters(f"a confidence of {confidence:g}: give 0.5 or more and less than 1, or 0 for none")


def calibrate(
    scores: Sequence[float],
    method: Literal["leave-one-image-out", "held-out"],
    targets: Targets | float,
    peaks: Sequence[float] = (),
    set_aside: int = 0,
    series: Sequence[str] = (),
) -> Calibration:
    """The thresholds at target false-alarm rates: of images, and of images with any pixel of the map above.

    With too few scores no threshold can promise a rate: the highest score is taken and ``reachable`` says so.
    ``peaks`` are the highest map values of the same images; without them there is no pixel threshold. So many images
    that were ``set_aside`` count as scores above all others. ``series`` names the series of each image (empty: it is
    alone); each series counts once. The pixels' rate is never below the images' rate, or a verdict of anomalous would
    often show no pixel. Raises ``NoReferences`` where there are no scores.
    """
    if not scores:
        raise NoReferences("calibration needs at least one normal image")
    for name, values in (("peaks", peaks), ("names of series", series)):
        if values and len(values) != len(scores):
            raise ValueError(f"{len(scores)} scores, {len(values)} {name}")
    rows = sorted(zip(scores, peaks or [0.0] * len(scores), series or [""] * len(scores), strict=True))
    reject, review, pixels, confidence = targets if isinstance(targets, Targets) else Targets(targets)
    cut = Sample.of(scores, series, set_aside).cut(reject, confidence or None)
    calibration = Calibration(
        method=method,
        target_far=reject,
        review_far=review,
        confidence=confidence or None,
        threshold=cut.value,
        reachable=cut.reached,
        scores=tuple(float(score) for score, _, _ in rows),
        set_aside=set_aside,
        series=tuple(name for _, _, name in rows) if any(series) else (),
    )
    if not peaks:
        return calibration
    rate = max(reject, pixels)
    spots = {
        "pixel_target_far": rate,
        "pixel_threshold": Sample.of(peaks, series, set_aside).cut(rate).value,
        "peaks": tuple(float(peak) for _, peak, _ in rows),
    }
    return calibration.model_copy(update=spots)


def sample_of(calibration: Calibration) -> Sample:
    """The scores that the calibration's thresholds come from."""
    return Sample.of(calibration.scores, calibration.series, calibration.set_aside)


def threshold_at(calibration: Calibration, rate: float) -> Cut:
    """The threshold that another rate takes."""
    return sample_of(calibration).cut(rate, calibration.confidence)


def review_threshold(calibration: Calibration) -> float:
    """The score above which an image is for review. Never above the threshold."""
    return threshold_at(calibration, calibration.review_rate).value


def promised(calibration: Calibration, rate: float | None = None) -> float:
    """The false-alarm rate that holds where ``rate``, or else the reject rate, is asked for."""
    asked = calibration.target_far if rate is None else rate
    reached = threshold_at(calibration, asked).reached
    return asked if reached else sample_of(calibration).least_rate(calibration.confidence)


def p_value(score: float, calibration: Calibration) -> float:
    """Conformal p-value (1 + number of calibration scores >= score) / (n + 1): small means unlike normal images. Images
    that were set aside count as scores above all others, and of a series each is a share of one."""
    return sample_of(calibration).p_value(score)


def shortfall(calibration: Calibration) -> str | None:
    """A warning where the calibration images are too few for a rate; None where they suffice."""
    rates = {calibration.review_rate: "review rate", calibration.target_far: "false-alarm rate"}
    short = {name: rate for rate, name in sorted(rates.items()) if not threshold_at(calibration, rate).reached}
    if not short:
        return None
    asked = " and a ".join(f"{name} of {rate:.2%}" for name, rate in short.items())
    subject = "the threshold is" if len(short) == 1 else "both thresholds are"
    start = (
        f"{_counted(calibration)} are too few for a {asked}{_sure(calibration)}: {subject} the highest score seen, "
        f"which can promise {promised(calibration):.2%}"
    )
    if calibration.set_aside:
        return f"{start}, because {calibration.set_aside} set aside count as alarms"
    needed = {name: images_needed(rate, calibration.confidence) for name, rate in short.items()}
    more = [f", and {count} for the {name}" for name, count in needed.items() if name != "false-alarm rate"]
    return f"{start}; {needed['false-alarm rate']} {_unit(calibration)} would do{''.join(more)}"


def promise(calibration: Calibration) -> str:
    """What the thresholds promise, in one sentence."""
    aside = f", {calibration.set_aside} more set aside and counted as alarms" if calibration.set_aside else ""
    same = f", {calibration.together} left out that show the same part again" if calibration.together else ""
    review = promised(calibration, calibration.review_rate)
    return (
        f"at most {promised(calibration):.2%} of good parts raise a false alarm, and at most {review:.2%} are rejected "
        f"or for review{_sure(calibration)} ({_counted(calibration)}{aside}{same})"
    )


def promise_takes(calibration: Calibration) -> str:
    """How many independent normal images a promise of each rate takes, in one sentence."""
    confidence = calibration.confidence or CONFIDENCE
    units = "series of good pictures" if calibration.series else "independent good pictures"
    told = [
        f"{rate:.2%} takes {images_needed(rate)} {units} on average, "
        f"{images_needed(rate, confidence)} with {_percent(confidence)} confidence"
        for rate in dict.fromkeys((calibration.target_far, calibration.review_rate))
    ]
    return f"a promise of {'; of '.join(told)}"


def _counted(calibration: Calibration) -> str:
    images = f"{calibration.count} calibration images"
    return f"{sample_of(calibration).independent} series of {images}" if calibration.series else images


def _unit(calibration: Calibration) -> str:
    return "series" if calibration.series else "images"


def _sure(calibration: Calibration) -> str:
    return f" with {_percent(calibration.confidence)} confidence" if calibration.confidence else ""


def _percent(confidence: float) -> str:
    return f"{100 * confidence:.6g}%"
