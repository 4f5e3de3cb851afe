"""Learns the range of a class from its references, before any of them is embedded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from patchbank.bank.manifest import Manifest
from patchbank.bank.pixel_range import PixelRange, rule_of
from patchbank.embedding.stream import READERS
from patchbank.errors import PatchbankError
from patchbank.images import FULL, UNKNOWN, PictureReader, RangeRule, White, may_be_deep, white_for
from patchbank.progress import Progress


class LearntRange:
    """The range of one class while it is taught. ``rule`` reads its pictures; ``range`` is what is known of its
    references so far, None where none was 16-bit grey without a range."""

    def __init__(
        self, rule: RangeRule, known: PixelRange | None = None, seen: Mapping[Path, int] | None = None
    ) -> None:
        self.rule = rule
        self.range = known
        self._seen = seen or {}

    @classmethod
    def of(
        cls, known: Manifest | None, files: Sequence[Path], pictures: PictureReader, progress: Progress
    ) -> LearntRange:
        """That of a class that is extended, or, where none is ``known``, of a new one that is taught from ``files``."""
        return cls.from_files(files, pictures, progress) if known is None else cls.known(known)

    @classmethod
    def known(cls, manifest: Manifest) -> LearntRange:
        """That of a class that is there; more references do not change white."""
        return cls(rule_of(manifest.pixel_range, manifest.class_name), manifest.pixel_range)

    @classmethod
    def from_files(cls, files: Sequence[Path], pictures: PictureReader, progress: Progress) -> LearntRange:
        """That of a new class: white is the smallest of a usual depth that holds the values of all ``files``. Those
        whose header says that they are 16-bit grey without a range are read once for it."""
        seen = greatest_values(files, pictures, progress)
        rule = White(white_for(max(seen.values()))) if seen else UNKNOWN
        return cls(rule, seen=seen)

    def add(self, greatest: int | None) -> None:
        """Count a reference; ``greatest`` as in ``DecodedImage``."""
        if greatest is None:
            return
        if self.range is None:
            white = self.rule.white if isinstance(self.rule, White) else FULL
            self.range = PixelRange.model_validate(
                {"white": white, "least": greatest, "greatest": greatest, "references": 1}
            )
        else:
            self.range = self.range.and_one(greatest)

    @property
    def warnings(self) -> dict[str, list[Path]]:
        """Files that alone make white what it is, where most would need a smaller value: all others are read darker
        for them."""
        needed = {file: white_for(greatest) for file, greatest in self._seen.items()}
        usual, count = Counter(needed.values()).most_common(1)[0] if needed else (0, 0)
        white = max(needed.values(), default=0)
        if usual >= white or count * 2 <= len(needed):
            return {}
        odd = [file for file, own in needed.items() if own == white]
        return {
            f"has 16-bit values above {usual}, and {count} of {len(needed)} such files have none: all are read as 0 to "
            f"{white}, so most are dark; leave it out if it is from another camera": odd
        }


def greatest_values(files: Sequence[Path], pictures: PictureReader, progress: Progress) -> dict[Path, int]:
    """The greatest value of each file that is 16-bit grey without a range. Files that can't be read are passed over:
    they are reported when they are read for the bank."""
    deep = [file for file in files if may_be_deep(file, pictures.limits)]
    if not deep:
        return {}
    stage = progress.begin("looking for the range of 16-bit values", len(deep))
    values = {}
    with ThreadPoolExecutor(READERS, thread_name_prefix="range") as readers:
        for file, greatest in zip(deep, readers.map(partial(_greatest, pictures=pictures), deep), strict=True):
            if greatest is not None:
                values[file] = greatest
            stage.advance()
    stage.done()
    return values


def _greatest(file: Path, pictures: PictureReader) -> int | None:
    try:
        return pictures.open(file).greatest
    except PatchbankError:
        return None
