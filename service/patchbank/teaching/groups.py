"""Which references show the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class Groups:
    """The groups of a bank's references by image id. An image that no group names is alone."""

    ALONE: ClassVar[Groups]
    """Every image by itself."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = dict(numbers)
        self._members: dict[int, list[str]] = {}
        for image_id, number in numbers.items():
            self._members.setdefault(number, []).append(image_id)

    def of(self, image_id: str) -> Sequence[str]:
        """The image and all that show the same."""
        number = self._numbers.get(image_id)
        return [image_id] if number is None else self._members[number]

    def is_first(self, image_id: str) -> bool:
        """Whether the image stands for its group."""
        return self.of(image_id)[0] == image_id

    @property
    def one_part(self) -> bool:
        """Whether there are several images, and all show the same."""
        return len(self._members) == 1 and len(self._numbers) > 1

    def numbers(self, image_ids: Sequence[str]) -> list[int]:
        """A number per image, the same within a group."""
        return [self._numbers.get(image_id, -1 - place) for place, image_id in enumerate(image_ids)]


Groups.ALONE = Groups({})
