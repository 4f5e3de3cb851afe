"""The pictures of references as they were given: a bank keeps their embeddings, and these only where it is told to."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from patchbank.atomic_file import replacing
from patchbank.bank.store import PatchStore
from patchbank.disk import require_space, write_error
from patchbank.errors import DamagedBank, DataDirNotWritable
from patchbank.settings import Settings


class Originals:
    """Files of references, below ``originals/CLASS`` of the data directory, by image id. Whether new ones are kept is
    a setting; those that are there are used in any case."""

    def __init__(self, settings: Settings) -> None:
        self._keeps = settings.keep_originals
        self._root = settings.data_dir / "originals"

    def keep(self, class_name: str, image_id: str, file: Path) -> None:
        """Keep a reference's file, where the setting says so. Raises ``DataDirNotWritable``."""
        if not self._keeps or self.path(class_name, image_id) is not None:
            return
        folder = self._root / class_name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (
                file.open("rb") as source,
                replacing(folder / f"{image_id}{file.suffix.lower()}", sweep=False) as target,
            ):
                shutil.copyfileobj(source, target)
        except OSError as error:
            what = "the picture of a reference cannot be kept"
            raise write_error(error, what, DataDirNotWritable, folder) from error

    def require_space(self, files: Iterable[Path]) -> None:
        """Raise ``DiskFull`` where these files do not fit, if the setting says that they are kept."""
        if self._keeps:
            require_space(
                self._root, sum(file.stat().st_size for file in files if file.is_file()), "keeping the pictures"
            )

    def path(self, class_name: str, image_id: str) -> Path | None:
        """The file of a reference; None where it was not kept."""
        return next((self._root / class_name).glob(f"{image_id}*"), None)

    def sweep(self, store: PatchStore, class_name: str) -> None:
        """Remove the files of images that no kept version of the class has; nothing where a version cannot be read."""
        folder = self._root / class_name
        if not folder.is_dir():
            return
        files = list(folder.iterdir())  # before the versions are read: what is kept meanwhile is of a version to come
        needed: set[str] = set()
        if class_name in store.active():
            try:
                for version in store.versions(class_name):
                    needed |= set(store.bank(class_name, version).cls_vectors()[0])
            except DamagedBank:
                return
        self._remove(folder, files, needed)

    def _remove(self, folder: Path, files: Iterable[Path], needed: Collection[str]) -> None:
        for file in files:
            if file.name.split(".")[0] not in needed:
                with suppress(OSError):
                    file.unlink()
        with suppress(OSError):  # it is not empty
            folder.rmdir()
