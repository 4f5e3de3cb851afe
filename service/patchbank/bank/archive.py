"""A class as one file: an uncompressed zip archive that does not depend on the store it came from.

Entries: ``manifest.json``, ``references.json`` (with thumbnails), ``cls.npy`` (M, D'), ``ids.npy`` (N, 16),
``vectors.npy`` (N, D), and ``sha256.json`` with the sums of the others. No entry is code. The file may come from a
stranger: nothing in it is taken on trust.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import ByteArray, FloatArray
from patchbank.atomic_file import replacing
from patchbank.bank.archive_content import check_ids, references_of
from patchbank.bank.archive_file import SUMS, ArchiveFile
from patchbank.bank.content_digest import require_unit
from patchbank.bank.manifest import Manifest, read_manifest, stored_manifest
from patchbank.bank.names import check_class_name
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankContent, PatchBlock
from patchbank.disk import require_space, write_error
from patchbank.errors import DamagedBank, DamagedSnapshot, NewerLayout, PatchbankError, SnapshotNotWritable
from patchbank.progress import SILENT, Progress
from patchbank.reason import reason_of

_MANIFEST: Final = "manifest.json"
_REFERENCES: Final = "references.json"
_CLS: Final = "cls.npy"
_IDS: Final = "ids.npy"
_VECTORS: Final = "vectors.npy"
_BLOCK: Final = 4_096
_MOST_MANIFEST: Final = 1 << 26
_MOST_REFERENCES: Final = 1 << 30
"""Most bytes of JSON that are read: ten thousand thumbnails of 100 kB."""


def write_archive(path: Path, content: BankContent, progress: Progress = SILENT) -> None:
    """Write a bank to ``path``; the file appears whole or not at all. Raises ``DiskFull`` and ``SnapshotNotWritable``
    where that fails."""
    manifest = content.manifest
    try:
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            image_ids, cls = content.cls_vectors()
            by_id = {reference.image_id: reference for reference in content.references()}
            if set(by_id) != set(image_ids):
                raise DamagedBank(f"{manifest.ref.collection}: its references and its CLS embeddings do not match")
            whole = manifest.model_copy(update={"parts": ()})  # in a file it is one
            described = json.dumps(stored_manifest(whole), indent=1)
            references = json.dumps([by_id[image_id].as_payload() for image_id in image_ids])
            vectors = manifest.patches * (4 * manifest.patch_dim + 16) + cls.nbytes
            require_space(path.parent, len(described) + len(references) + vectors, f"the snapshot {path}")
            writing = _Writing(archive)
            writing.text(_MANIFEST, described)
            writing.text(_REFERENCES, references)
            writing.array(_CLS, cls)
            writing.array(_IDS, _write_patches(writing, content, progress))
            archive.writestr(SUMS, json.dumps(writing.sums))
    except OSError as error:
        raise write_error(error, f"{path} cannot be written", SnapshotNotWritable, path.parent) from error


def _write_patches(writing: _Writing, content: BankContent, progress: Progress) -> ByteArray:
    manifest = content.manifest
    steps = progress.begin("writing patches", manifest.patches)
    ids = [np.empty((0, 16), dtype=np.uint8)]
    count = 0

    def blocks() -> Iterator[bytes]:
        nonlocal count
        for block in content.patches():
            yield np.ascontiguousarray(block.vectors, dtype="<f4").tobytes()
            ids.append(block.ids)
            count += len(block.ids)
            steps.advance(len(block.ids))

    writing.rows(_VECTORS, np.dtype("<f4"), (manifest.patches, manifest.patch_dim), blocks())
    steps.done()
    if count != manifest.patches:
        raise DamagedBank(f"{manifest.ref.collection} holds {count} patches, but its manifest says {manifest.patches}")
    return np.concatenate(ids)


class _Writing:
    """Writes entries and keeps their sums."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.sums: dict[str, str] = {}

    def text(self, name: str, text: str) -> None:
        self._archive.writestr(name, text)
        self.sums[name] = hashlib.sha256(text.encode()).hexdigest()

    def array(self, name: str, values: npt.NDArray[Any]) -> None:
        self.rows(name, values.dtype, values.shape, [values.tobytes()])

    def rows(self, name: str, dtype: np.dtype[Any], shape: Sequence[int], blocks: Iterable[bytes]) -> None:
        head = io.BytesIO()
        facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_2_0(head, facts)
        digest = hashlib.sha256()
        with self._archive.open(name, "w", force_zip64=True) as file:
            for piece in chain([head.getvalue()], blocks):
                file.write(piece)
                digest.update(piece)
        self.sums[name] = digest.hexdigest()


class Archive:
    """``BankContent`` in a file; a context manager. Anything in it that no bank has, or that does not belong together,
    is raised as ``DamagedSnapshot``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._references: list[Reference] | None = None
        with self._guarded():
            self._file = ArchiveFile(path, (_MANIFEST, _REFERENCES, _CLS, _IDS, _VECTORS))
        try:
            with self._guarded():
                manifest = read_manifest(json.loads(self._file.read(_MANIFEST, _MOST_MANIFEST)))
                check_class_name(manifest.class_name)
                self._manifest = manifest.model_copy(update={"parts": ()})  # those of another store
        except BaseException:
            self._file.close()
            raise

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def references(self) -> list[Reference]:
        if self._references is None:
            with self._guarded():
                listed = json.loads(self._file.read(_REFERENCES, _MOST_REFERENCES))
                self._references = references_of(listed, self._manifest.references)
        return self._references

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        image_ids = [reference.image_id for reference in self.references()]
        with self._guarded():
            blocks = list(self._rows(_CLS, "<f4", (len(image_ids), self._manifest.cls_dim)))
            vectors = np.concatenate(blocks)
            require_unit(vectors)
            return image_ids, vectors

    def patches(self) -> Iterator[PatchBlock]:
        count, dim = self._manifest.patches, self._manifest.patch_dim
        references = self.references()
        with self._guarded():
            ids = np.concatenate(list(self._rows(_IDS, "|u1", (count, 16))))
            check_ids(ids, references)
            begin = 0
            for vectors in self._rows(_VECTORS, "<f4", (count, dim)):
                require_unit(vectors)
                yield PatchBlock(ids[begin : begin + len(vectors)], vectors)
                begin += len(vectors)

    def _rows(self, name: str, descr: str, shape: tuple[int, int]) -> Iterator[npt.NDArray[Any]]:
        """The rows of an array, block by block. Its type and shape must be the expected ones."""
        with self._file.reading(name) as file:
            if np.lib.format.read_magic(file) != (2, 0):
                raise ValueError(f"{name} is not an array that Patchbank writes")
            stored_shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)
            if (stored_shape, by_column, dtype) != (shape, False, np.dtype(descr)):
                raise ValueError(f"{name} is {dtype} {stored_shape}, not {descr} {shape}")
            if self._file.size(name) < shape[0] * shape[1] * dtype.itemsize:
                raise ValueError(f"{name} is shorter than its header says")
            for begin in range(0, max(shape[0], 1), _BLOCK):
                rows = min(_BLOCK, shape[0] - begin)
                raw = file.read(rows * shape[1] * dtype.itemsize)
                yield np.frombuffer(raw, dtype=dtype).reshape(rows, shape[1])
            file.finish()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (NewerLayout, DamagedSnapshot):
            raise
        except OSError as error:
            raise DamagedSnapshot(f"the snapshot {self._path} cannot be read: {reason_of(error)}") from error
        except Exception as error:  # zipfile, NumPy and JSON raise what they like on what a stranger made
            raise DamagedSnapshot(f"{self._path} is no snapshot of a class, or a damaged one: {_why(error)}") from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _why(error: Exception) -> str:
    return error.message if isinstance(error, PatchbankError) else reason_of(error)
