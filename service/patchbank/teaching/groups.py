"""Which references belong together: those that show the same, and those of one series."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar


class Groups:
    """The groups of a bank's references that show the same, by image id, and the names of their series. An image that
    neither names is alone."""

    ALONE: ClassVar[Groups]
    """Every image by itself."""

    def __init__(self, numbers: Mapping[str, int], series: Mapping[str, str] | None = None) -> None:
        self._numbers = dict(numbers)
        self._series = {image_id: name for image_id, name in (series or {}).items() if name}
        self._members: dict[int | str, list[str]] = {}
        self._firsts: dict[int, str] = {}
        for image_id, number in numbers.items():
            self._members.setdefault(self._series.get(image_id, number), []).append(image_id)
            self._firsts.setdefault(number, image_id)

    def of(self, image_id: str) -> Sequence[str]:
        """The image and all that are left out with it: those that show the same, or else those of its series."""
        unit = self._series.get(image_id, self._numbers.get(image_id))
        return [image_id] if unit is None else self._members[unit]

    def series_of(self, image_id: str) -> str:
        """The name of the image's series; empty where it is alone."""
        return self._series.get(image_id, "")

    def is_first(self, image_id: str) -> bool:
        """Whether the image stands for those that show the same."""
        number = self._numbers.get(image_id)
        return number is None or self._firsts[number] == image_id

    def any_together(self, image_ids: Collection[str]) -> bool:
        """Whether two of them show the same."""
        numbers = [self._numbers[image_id] for image_id in image_ids if image_id in self._numbers]
        return len(set(numbers)) < len(numbers)

    def not_stood_for(self, image_ids: Collection[str], among: Sequence[str]) -> list[str]:
        """One image of each group that none of ``image_ids`` is of: the first ``among`` these."""
        seen = {self._numbers.get(image_id) for image_id in image_ids}
        chosen = []
        for image_id in among:
            number = self._numbers.get(image_id)
            if number not in seen:
                seen.add(number)
                chosen.append(image_id)
        return chosen

    @property
    def one_part(self) -> bool:
        """Whether there are several images, and all show the same."""
        return len(self._firsts) == 1 and len(self._numbers) > 1

    def numbers(self, image_ids: Sequence[str]) -> list[int]:
        """A number per image, the same for those that are left out together."""
        places: dict[str, int] = {}
        return [places.setdefault(self.of(image_id)[0], place) for place, image_id in enumerate(image_ids)]


Groups.ALONE = Groups({})
