"""A file that is decoded, but whose values are not yet scaled to 8 bits."""

from __future__ import annotations

from patchbank.images.picture import DecodedImage, image_id
from patchbank.images.pixels import Loaded, deep_grey, to_rgb
from patchbank.images.white import UNKNOWN, RangeRule


class OpenedImage:
    """An upright picture from a file. Of most files the pixels are certain; of 16-bit grey whose file does not say
    which value is white, a rule does, and it may be read by several.

    ``greatest`` is the greatest value of such a picture. It is None where no rule is needed: for every other file, and
    where all values are 0, which is black in any range.
    """

    def __init__(self, loaded: Loaded, name: str, sha256: str) -> None:
        self._loaded = loaded
        self._grey = deep_grey(loaded, name)
        self._sha256 = sha256
        self.name = name
        self.greatest: int | None = None
        if self._grey is not None and loaded.deep and not loaded.named:
            self.greatest = self._grey.greatest or None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self._loaded.picture.size

    def read(self, rule: RangeRule = UNKNOWN) -> DecodedImage:
        """The picture in 8-bit RGB. Raises ``UnsupportedImage`` for pixels that are not read, and what the rule
        raises."""
        loaded, grey = self._loaded, self._grey
        if grey is None:
            pixels = to_rgb(loaded, self.name)
        else:
            white = loaded.white if self.greatest is None else rule.white_of(self.greatest, self.name)
            pixels = grey.shades(white, inverted=loaded.inverted)
        return DecodedImage(pixels, image_id(pixels), self._sha256, loaded.format, loaded.notes, self.greatest)
