"""A bank store as it was at one moment: what a request sees from its start to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from patchbank.arrays import FloatArray
from patchbank.bank.names import BankRef, check_class_name, is_version
from patchbank.bank.store import Bank, Retrieved, RouterHit, ViewSource
from patchbank.errors import DamagedBank, UnknownClass, UnknownVersion
from patchbank.text import quoted

T = TypeVar("T")
_TRIES: Final = 4
_NAMED: Final = 10


class View:
    """The pointers are read once, when the view is made. Later changes do not show."""

    def __init__(self, source: ViewSource) -> None:
        self._source = source
        self.pointers = source.pointers()

    @property
    def active(self) -> Mapping[str, str]:
        """Active version per class."""
        return self.pointers.classes

    def bank(self, class_name: str, version: str | None = None) -> Bank:
        """A class's active (or given) version. Raises ``UnknownClass``, ``UnknownVersion`` or ``DamagedBank``."""
        check_class_name(class_name)
        active = self.active.get(class_name)
        if active is None:
            raise unknown_class(class_name, self.active, self._source.place)
        ref = BankRef(class_name, version or active)
        if version and not is_version(version):  # it would be part of a file's name
            raise unknown_version(ref)
        return self._source.open_bank(ref, serves=version in (None, active))

    def retrieve(self, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        """The k reference images nearest to ``cls`` (D',) among active banks of that preprocessing fingerprint, and
        which classes could not be asked."""
        return self._source.find_references(self.pointers, fingerprint, cls, k)

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        """The k reference images alone."""
        return self.retrieve(fingerprint, cls, k).hits


def unknown_class(class_name: str | None, active: Mapping[str, str], place: str) -> UnknownClass:
    """The error of a class that is not among the ``active`` ones in a store's ``place``; None: any class."""
    if not active:
        return UnknownClass(
            f"no product class is taught in {place}: teach one with `indexer add CLASS FOLDER`, or name another store "
            "with --data-dir, PATCHBANK_DATA_DIR or PATCHBANK_QDRANT_URL"
        )
    names = sorted(active)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return UnknownClass(
        f"no product class {class_name!r} is taught in {place}; taught there: {', '.join(names[:_NAMED])}{more}"
    )


def unknown_version(ref: BankRef) -> UnknownVersion:
    """The error of a version that the class does not have."""
    return UnknownVersion(
        f"class {ref.class_name!r} has no version {quoted(ref.version)}: `indexer versions {ref.class_name}` lists "
        "those that are kept"
    )


def with_view(source: ViewSource, work: Callable[[View], T]) -> T:
    """The result of ``work`` on a view. If a version that it read was replaced and removed meanwhile, ``work`` runs
    again on a newer view.

    Old versions are kept for a while, so this happens only where several new ones follow within one request.
    """
    view = View(source)
    for _ in range(_TRIES - 1):
        try:
            return work(view)
        except (DamagedBank, UnknownVersion):
            newer = View(source)
            if newer.pointers == view.pointers:
                raise
            view = newer
    return work(view)
