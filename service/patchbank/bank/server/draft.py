"""A bank version being built on a Qdrant server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from qdrant_client import models

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.collection import CollectionDraft
from patchbank.bank.content_digest import require_unit
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, reference_point
from patchbank.bank.part import Part
from patchbank.bank.reference import Reference
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.lease import Lease
from patchbank.bank.server.link import READING, WRITING
from patchbank.bank.server.upload import Upload
from patchbank.errors import Closed, DamagedBank, PatchbankError, StoreUnavailable

_LOG = logging.getLogger("patchbank")


class Publish(Protocol):
    """Lets a finished version serve, under its class's lease; without ``serve`` another one goes on."""

    def __call__(self, ref: BankRef, held: Lease, *, serve: bool) -> None: ...


_BATCH_BYTES: Final = 1_000_000
_MOST_PARTS: Final = 4
"""A server searches a small part exhaustively, vector by vector, so that fewer pay (docs/scaling.md)."""

_INDEXING: Final = 3_600.0
"""Most seconds that building a graph may take; 200,000 patches take minutes."""


class ServerDraft(CollectionDraft[ServerCollection]):
    """A version being built: a collection without a manifest, under the class's lease."""

    def __init__(
        self,
        publish: Publish,
        give_up: Callable[[BankRef], bool],
        ref: BankRef,
        collection: ServerCollection,
        lease: Lease,
        index_from: int,
        base: Sequence[tuple[Part, ServerCollection]] = (),
    ) -> None:
        super().__init__(ref, base, _MOST_PARTS)
        self._publish = publish
        self._give_up = give_up
        self._open: ServerCollection | None = collection
        self._lease = lease
        self._index_from = index_from
        self._upload = Upload()
        self._finished = False

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        collection = self._alive()
        self._require_unit(cls[None])
        point = models.PointStruct(
            id=reference_point(reference.image_id), vector={"cls": cls.tolist()}, payload=reference.as_payload()
        )
        self._upload.put(lambda: collection.upsert([point], self._upload.abandoned))
        self._take(reference.image_id)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Returns when the last batches have been sent, not yet written."""
        collection = self._alive()
        self._require_unit(vectors)
        size = max(1, _BATCH_BYTES // max(1, vectors[:1].nbytes))
        for begin in range(0, len(image_ids), size):
            part = slice(begin, begin + size)
            write = partial(
                collection.points.upsert_patches,
                collection=collection.name,
                image_ids=image_ids[part],
                cells=cells[part],
                vectors=vectors[part],
            )
            self._upload.put(
                partial(collection.link.ask, f"writing {collection.name}", write, WRITING, self._upload.abandoned)
            )

    def _require_unit(self, vectors: FloatArray) -> None:
        try:
            require_unit(vectors)
        except ValueError as error:
            raise DamagedBank(f"what was added cannot be a part of a bank: {error}") from error

    def seal(self) -> None:
        """Wait until the server has indexed every patch."""
        self._merge()
        collection = self._written()
        patches = collection.count()
        if patches >= self._index_from:
            collection.index(patches, _INDEXING)

    def _own_part(self, collection: ServerCollection) -> Part:
        return Part(
            version=self._ref.version,
            references=collection.count_references(),
            patches=collection.count(),
            indexed=collection.indexed,
        )

    def activate(self, manifest: Manifest, *, serve: bool = True) -> Manifest:
        collection, whole = self._written(), self._whole(manifest)
        counts = [part.counting for part in whole.parts]
        held = (sum(count[0] for count in counts), sum(count[1] for count in counts))
        if held != (manifest.references, manifest.patches):
            raise StoreUnavailable(
                f"the bank store holds {held[0]} references and {held[1]} patches of {self._ref.collection}, not "
                f"{manifest.references} and {manifest.patches}; nothing was changed, try again"
            )
        self._lease.check()
        collection.write_manifest(whole)
        self._finished = True  # from here on it is a finished version
        try:
            self._publish(self._ref, self._lease, serve=serve)
        except BaseException:  # and nobody is told of it
            self._finished = not self._give_up(self._ref)
            raise
        self._close()
        return whole

    def _alive(self) -> ServerCollection:
        if self._open is None:
            raise Closed("this bank version is no longer being built")
        return self._open

    def _written(self) -> ServerCollection:
        collection = self._alive()
        self._upload.flush()
        return collection

    def _close(self) -> None:
        self._upload.close()
        self._open = None

    def __enter__(self) -> ServerDraft:
        return self

    def __exit__(self, *exc: object) -> None:
        collection = self._open
        self._close()
        try:
            if collection is not None and not self._finished:
                collection.drop(READING)
        except PatchbankError as error:  # the class's next change removes it
            _LOG.warning("%s was not dropped: %s", self._ref.collection, error.message)
        finally:
            self._lease.release()
