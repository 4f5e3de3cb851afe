"""Which value of a 16-bit grey picture is white, where its file does not say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from patchbank.errors import UnknownPixelRange

FULL: Final = 65535
WHITES: Final = (255, 1023, 4095, 16383, FULL)
"""Whites of the depths that cameras have: 8, 10, 12, 14 and 16 bits."""

CERTAIN: Final = WHITES[-2] + 1
"""Values from here on need 16 bits, so that white is 65535 whatever the camera is."""

_LOOKS_THE_SAME: Final = "a dark picture of a camera with 16 bits is refused too, because it looks the same"


class RangeRule(Protocol):
    """Says which value is white. It is asked only about pictures whose files do not."""

    def white_of(self, greatest: int, name: str) -> int:
        """White for a picture with this greatest value, from a file of that name. Raises ``UnknownPixelRange``."""
        ...

    def notes(self, greatest: int | None) -> tuple[str, ...]:
        """What a caller should know beside the picture; nothing where its own file names the range (None)."""
        ...


@dataclass(frozen=True)
class UnknownRange:
    """Nothing is known: only values that need 16 bits are read. ``whose`` says in words who knows no range."""

    whose: str = "no class that was taught from such files says so"

    def white_of(self, greatest: int, name: str) -> int:
        if greatest >= CERTAIN:
            return FULL
        raise UnknownPixelRange(
            f"{name}: 16-bit grey whose greatest value is {greatest}, and which value is white is not known: the file "
            f"does not say so, and {self.whose}; save it with 8 bits, spread its values over 0 to {FULL}, write their "
            "range into the file (MaxSampleValue in TIFF, sBIT in PNG, the greatest value in PGM), or teach the class "
            f"from such files ({_LOOKS_THE_SAME})",
            greatest=greatest,
        )

    def notes(self, greatest: int | None) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class TaughtRange:
    """The range of a class's references: ``white``, and the ``least`` of their own greatest values."""

    white: int
    least: int
    class_name: str

    def white_of(self, greatest: int, name: str) -> int:
        if greatest <= self.white:
            return self.white
        raise UnknownPixelRange(
            f"{name}: 16-bit grey whose greatest value is {greatest}, above {self.white}, which is white in the "
            f"references of {self.class_name!r}: it has another range than they have; save it like them, with 8 bits, "
            "or teach the class from files of both kinds",
            greatest=greatest,
            white=self.white,
        )

    def notes(self, greatest: int | None) -> tuple[str, ...]:
        if greatest is None:
            return ()
        notes = []
        if self.white < FULL or greatest < CERTAIN:
            notes.append(f"16-bit values 0 to {self.white}, as the references of {self.class_name!r}")
        if white_for(greatest) < white_for(self.least) and greatest * 2 < self.least:
            notes.append(
                f"the greatest value is {greatest}, and in no reference of {self.class_name!r} less than {self.least}: "
                "the picture is dark, or has fewer bits than they have and is read too dark"
            )
        return tuple(notes)


@dataclass(frozen=True)
class White:
    """One value is white, as for the references of a class that is being taught."""

    white: int

    def white_of(self, greatest: int, name: str) -> int:
        if greatest <= self.white:
            return self.white
        raise UnknownPixelRange(
            f"{name}: 16-bit grey whose greatest value is {greatest}, above {self.white}, which is white in the "
            "references: it has another range than they have; save it like them, or with 8 bits",
            greatest=greatest,
            white=self.white,
        )

    def notes(self, greatest: int | None) -> tuple[str, ...]:
        return ()


class ByItself:
    """White is the smallest value of a usual depth that holds the picture: for what does not depend on brightness."""

    def white_of(self, greatest: int, name: str) -> int:
        return white_for(greatest)

    def notes(self, greatest: int | None) -> tuple[str, ...]:
        return ()


UNKNOWN: Final = UnknownRange()


def white_for(greatest: int) -> int:
    """The smallest of ``WHITES`` that holds a value, at most 65535."""
    return next(white for white in WHITES if greatest <= white)


def dark_channels(name: str) -> UnknownPixelRange:
    """The error for several 16-bit channels, of which only the high bytes are read, without a bright value."""
    return UnknownPixelRange(
        f"{name}: 16-bit channels whose values all lie below {CERTAIN}, and which value is white is not known; save it "
        f"with 8 bits, or spread its values over 0 to {FULL} ({_LOOKS_THE_SAME})"
    )
