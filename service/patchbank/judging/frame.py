"""What is wrong with a picture as the camera's work, in a word and in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.bank.frame_limits import FrameLimits
from patchbank.images import DecodedImage
from patchbank.images.frame_facts import FrameFacts, frame_facts
from patchbank.judging.frozen import REMEMBERED, FrozenWatch
from patchbank.scoring.frame import dead_frame, frame_fault
from patchbank.scoring.frame_fault import FrameFault


@dataclass(frozen=True)
class FrameReport:
    """``fault`` is None for a picture of a camera that works; ``notes`` have a sentence per fault, with figures."""

    fault: FrameFault | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """What is known of a picture before its class is. ``repeats``: how often it came, 0 where that is not too often."""

    facts: FrameFacts
    repeats: int

    @classmethod
    def of(cls, image: DecodedImage, watch: FrozenWatch | None) -> Frame:
        """Measure a picture and, where there is a watch, count it."""
        return cls(frame_facts(image.pixels), 0 if watch is None else watch.repeats(image.image_id))

    def report(self, class_name: str | None, limits: FrameLimits | None) -> FrameReport:
        """The picture's own fault, by the limits of its class, else that it is frozen.

        Where no class is known, a picture that shows nothing at all is told; a class that was taught without limits has
        no such test.
        """
        if class_name is None:
            fault = dead_frame(self.facts)
        else:
            fault = None if limits is None else frame_fault(self.facts, limits)
        notes = [] if fault is None else [_sentence(fault, self.facts, limits)]
        if self.repeats:
            fault = fault or "frozen"
            notes.append(
                f"the same picture, pixel for pixel, came {self.repeats} times among the last {REMEMBERED} (a camera "
                "that hangs sends such; PATCHBANK_FROZEN_AFTER=0 turns this off)"
            )
        return FrameReport(fault, tuple(notes))


class FrameLook:
    """Measures one request's picture, and counts it once, however often it is looked at."""

    def __init__(self, watch: FrozenWatch | None) -> None:
        self._watch = watch
        self._seen: dict[str, Frame] = {}

    def at(self, image: DecodedImage) -> Frame:
        """What is known of ``image``."""
        if image.image_id not in self._seen:
            self._seen[image.image_id] = Frame.of(image, self._watch)
        return self._seen[image.image_id]


def _sentence(fault: FrameFault, facts: FrameFacts, limits: FrameLimits | None) -> str:
    if fault == "blurred" and limits is not None:
        share = facts.sharpness / limits.usual_sharpness
        return f"the picture is blurred: sharpness {share:.2f} of that of the class's references"
    told = f"the picture is {fault}: of 255, its brightness is {facts.brightness:.1f} and its contrast"
    if limits is None:
        return f"{told} {facts.contrast:.1f}, so it shows nothing"
    return f"{told} {facts.contrast:.1f}, where the class's references have a contrast of {limits.usual_contrast:.1f}"
