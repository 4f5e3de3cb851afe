"""A file that is decoded, but whose values may not yet be scaled to 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

from patchbank.arrays import ByteArray
from patchbank.images.picture import DecodedImage, image_id
from patchbank.images.pixels import DeepGrey, Loaded, deep_grey, to_rgb
from patchbank.images.white import UNKNOWN, RangeRule


@dataclass(frozen=True)
class OpenedImage:
    """An upright picture from a file, as data alone, which may come from another process. Of most files the ``pixels``
    are certain, uint8 (H, W, 3) RGB; of 16-bit ``grey`` whose file does not say which value is white, a rule does, and
    it may be read by several.

    ``greatest`` is the greatest value of such a picture. It is None where no rule is needed: for every other file, and
    where all values are 0, which is black in any range.
    """

    name: str
    sha256: str
    format: str
    notes: tuple[str, ...]
    pixels: ByteArray | None
    image_id: str = ""
    grey: DeepGrey | None = None
    inverted: bool = False
    greatest: int | None = None

    @classmethod
    def of(cls, loaded: Loaded, name: str, sha256: str) -> OpenedImage:
        """Of a decoded file. Raises ``UnsupportedImage`` for pixels that are not read."""
        grey = deep_grey(loaded, name)
        if grey is not None and loaded.deep and not loaded.named and grey.greatest:
            known = (name, sha256, loaded.format, loaded.notes)
            return cls(*known, None, grey=grey, inverted=loaded.inverted, greatest=grey.greatest)
        pixels = to_rgb(loaded, name) if grey is None else grey.shades(loaded.white, inverted=loaded.inverted)
        return cls(name, sha256, loaded.format, loaded.notes, pixels, image_id(pixels))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        values = self.pixels if self.grey is None else self.grey.values
        assert values is not None  # noqa: S101  # one of them is there
        return values.shape[1], values.shape[0]

    def read(self, rule: RangeRule = UNKNOWN) -> DecodedImage:
        """The picture in 8-bit RGB. Raises what the rule raises."""
        if self.pixels is not None:
            return DecodedImage(self.pixels, self.image_id, self.sha256, self.format, self.notes)
        assert self.grey is not None and self.greatest is not None  # noqa: S101  # or there are pixels
        pixels = self.grey.shades(rule.white_of(self.greatest, self.name), inverted=self.inverted)
        return DecodedImage(pixels, image_id(pixels), self.sha256, self.format, self.notes, self.greatest)
