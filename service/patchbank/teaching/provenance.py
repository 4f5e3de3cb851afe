"""Where references come from, as it is stored with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from patchbank.bank.names import now
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.embedding.stream import Seen


@dataclass(frozen=True)
class Provenance:
    """``added_by`` is who adds the references, ``note`` what they say of them. ``sources`` are names of files that are
    told in the place of their paths, such as those that uploads were sent under. ``known`` are references, by image id,
    that the class had before: they keep what is known of them. ``accepted_from`` is the id of the detection that they
    are accepted from."""

    added_by: str = ""
    note: str = ""
    sources: Mapping[Path, str] = field(default_factory=dict)
    known: Mapping[str, ReferenceFacts] = field(default_factory=dict)
    accepted_from: str = ""

    def reference(self, seen: Seen, series: str, same_as: str) -> Reference:
        """The reference that a picture becomes; ``same_as`` is the first one that shows the same."""
        picture, (rows, columns) = seen.picture, seen.embedding.grid
        reference = Reference(
            image_id=picture.image_id,
            name=picture.path.name,
            sha256=picture.sha256,
            added_at=now(),
            source=self.sources.get(picture.path, str(picture.path.absolute())),
            width=picture.size[0],
            height=picture.size[1],
            rows=rows,
            columns=columns,
            thumbnail=picture.thumbnail,
            series=series,
            added_by=self.added_by,
            note=self.note,
            same_as=same_as,
            accepted_from=self.accepted_from,
        )
        known = self.known.get(picture.image_id)
        if known is None:
            return reference
        return replace(
            reference,
            name=known.name,
            sha256=known.sha256,
            added_at=known.added_at,
            source=known.source,
            added_by=known.added_by,
            note=known.note,
            accepted_from=known.accepted_from,
        )


NOT_KNOWN: Final = Provenance()
"""Nobody said anything; a file's path is its source."""
