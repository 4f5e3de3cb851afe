"""What packages take on the disk with all that they need, of those that are installed here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed_mb(packages: Iterable[str]) -> float:
    """Megabytes of packages, named as for ``pip install`` with their extras, and of what they need."""
    return sum(_bytes_of(found) for found in _closure(packages).values()) / 1e6


def _closure(packages: Iterable[str]) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(package) for package in packages]
    while waiting:
        asked = waiting.pop()
        for extra in ("", *asked.extras):
            key = (canonicalize_name(asked.name), extra)
            if key in seen:
                continue
            seen.add(key)
            try:
                holder = found.setdefault(key[0], distribution(asked.name))
            except PackageNotFoundError:  # a marker that does not hold here, or a choice between packages
                continue
            for line in holder.requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return found


def _bytes_of(found: Distribution) -> int:
    """The files that it brought; of one that is installed as a checkout, those of the packages in it."""
    places = [Path(str(found.locate_file(file))) for file in found.files or ()]
    total = sum(place.stat().st_size for place in places if place.is_file())
    if canonicalize_name(found.name) == "patchbank":
        import patchbank  # noqa: PLC0415  # the only one that is ours
        import patchbank_indexer  # noqa: PLC0415

        for module in (patchbank, patchbank_indexer):
            total += sum(file.stat().st_size for file in Path(module.__path__[0]).rglob("*") if file.is_file())
    return total
