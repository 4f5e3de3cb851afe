"""What a caller should know of class retrieval beside the verdict."""

from __future__ import annotations

from collections.abc import Mapping

from patchbank.scoring.class_retrieval import Retrieval


def nothing_to_compare(taught: int, backbone: str) -> str:
    """Why no class could be asked, of so many that are taught."""
    if taught == 0:
        return "no product class is taught, so every product is unknown: teach one with `indexer add CLASS FOLDER`"
    return (
        f"none of the {taught} taught classes can be asked: they were taught with another backbone or other settings "
        f"than {backbone} has here; `indexer list` tells with which"
    )


def second_opinion(asked: str | None, retrieval: Retrieval) -> list[str]:
    """A word of warning where the class that the caller names is not what the image looks like."""
    if asked is None or retrieval.class_name in (asked, None):
        return []
    return [f"the image looks like {retrieval.class_name!r}, not like {asked!r}"]


def took_no_part(silent: Mapping[str, str]) -> list[str]:
    """A word of warning on each class that could not be asked, with the reason: its products may be unknown."""
    return [f"class {name!r} took no part in class retrieval: {silent[name]}" for name in sorted(silent)]
