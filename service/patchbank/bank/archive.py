"""A class as one file: an uncompressed zip archive that does not depend on the store it came from.

Entries: ``manifest.json``, ``references.json`` (with thumbnails), ``cls.npy`` (M, D'), ``ids.npy`` (N, 16) and
``vectors.npy`` (N, D). Zip's checksums reveal damage; no entry is code.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from patchbank.arrays import ByteArray, FloatArray
from patchbank.atomic_file import replacing
from patchbank.bank.manifest import Manifest, read_manifest
from patchbank.bank.names import is_image_id
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankContent, PatchBlock
from patchbank.disk import require_space, write_error
from patchbank.errors import DamagedBank, DamagedSnapshot, SnapshotNotWritable
from patchbank.progress import SILENT, Progress
from patchbank.reason import reason_of

_DAMAGE: Final = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    zipfile.BadZipFile,
    ValidationError,
)
_REFERENCES: Final = TypeAdapter(list[Reference])
_BLOCK: Final = 4_096
_MOST_TEXT: Final = 1 << 30
"""Most bytes of JSON that are read: ten thousand thumbnails of 100 kB."""


def write_archive(path: Path, content: BankContent, progress: Progress = SILENT) -> None:
    """Write a bank to ``path``; the file appears whole or not at all. Raises ``SnapshotNotWritable`` where that
    fails."""
    manifest = content.manifest
    try:
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            image_ids, cls = content.cls_vectors()
            by_id = {reference.image_id: reference for reference in content.references()}
            if set(by_id) != set(image_ids):
                raise DamagedBank(f"{manifest.ref.collection}: its references and its CLS embeddings do not match")
            whole = manifest.model_copy(update={"parts": ()})  # in a file it is one
            described = whole.model_dump_json(indent=1)
            references = json.dumps([by_id[image_id].as_payload() for image_id in image_ids])
            vectors = manifest.patches * (4 * manifest.patch_dim + 16) + cls.nbytes
            require_space(path.parent, len(described) + len(references) + vectors, f"the snapshot {path}")
            archive.writestr("manifest.json", described)
            archive.writestr("references.json", references)
            with _array(archive, "cls.npy", cls.dtype, cls.shape) as file:
                file.write(cls.tobytes())
            ids = _write_patches(archive, content, progress)
            with _array(archive, "ids.npy", ids.dtype, ids.shape) as file:
                file.write(ids.tobytes())
    except OSError as error:
        raise write_error(error, f"{path} cannot be written", SnapshotNotWritable, path.parent) from error


def _write_patches(archive: zipfile.ZipFile, content: BankContent, progress: Progress) -> ByteArray:
    manifest = content.manifest
    steps = progress.begin("writing patches", manifest.patches)
    ids = [np.empty((0, 16), dtype=np.uint8)]
    count = 0
    with _array(archive, "vectors.npy", np.dtype("<f4"), (manifest.patches, manifest.patch_dim)) as file:
        for block in content.patches():
            file.write(np.ascontiguousarray(block.vectors, dtype="<f4").tobytes())
            ids.append(block.ids)
            count += len(block.ids)
            steps.advance(len(block.ids))
    steps.done()
    if count != manifest.patches:
        raise DamagedBank(f"{manifest.ref.collection} holds {count} patches, but its manifest says {manifest.patches}")
    return np.concatenate(ids)


@contextmanager
def _array(archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> Iterator[IO[bytes]]:
    with archive.open(name, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_2_0(file, header)
        yield file


class Archive:
    """``BankContent`` in a file; a context manager. Errors while reading become ``DamagedSnapshot``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise DamagedSnapshot(f"the snapshot {path} cannot be read: {reason_of(error)}") from error
        except zipfile.BadZipFile as error:
            raise DamagedSnapshot(f"{path} is not a snapshot of a class: {reason_of(error)}") from error
        try:
            with self._guarded():
                self._manifest = read_manifest(json.loads(self._text("manifest.json")))
        except BaseException:
            self._zip.close()
            raise

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def references(self) -> list[Reference]:
        with self._guarded():
            listed: list[dict[str, Any]] = json.loads(self._text("references.json"))
            decoded = [{**payload, "thumbnail": base64.b64decode(payload["thumbnail"])} for payload in listed]
            references = _REFERENCES.validate_python(decoded)
            if not all(is_image_id(reference.image_id) for reference in references):
                raise ValueError("an image id is not 24 hex digits")
        return references

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        image_ids = [reference.image_id for reference in self.references()]
        with self._guarded():
            vectors = np.concatenate(list(self._rows("cls.npy", "<f4", (len(image_ids), self._manifest.cls_dim))))
        return image_ids, vectors

    def patches(self) -> Iterator[PatchBlock]:
        count, dim = self._manifest.patches, self._manifest.patch_dim
        with self._guarded():
            ids = self._rows("ids.npy", "|u1", (count, 16))
            for block, vectors in zip(ids, self._rows("vectors.npy", "<f4", (count, dim)), strict=True):
                yield PatchBlock(block, vectors)

    def _text(self, name: str) -> bytes:
        if self._zip.getinfo(name).file_size > _MOST_TEXT:
            raise ValueError(f"{name} is too large")
        return self._zip.read(name)

    def _rows(self, name: str, descr: str, shape: tuple[int, int]) -> Iterator[npt.NDArray[Any]]:
        """The rows of an array, block by block. Its type and shape must be the expected ones."""
        with self._zip.open(name) as file:
            if np.lib.format.read_magic(file) != (2, 0):
                raise ValueError(f"{name} is not an array that Patchbank writes")
            stored_shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)
            if (stored_shape, by_column, dtype) != (shape, False, np.dtype(descr)):
                raise ValueError(f"{name} is {dtype} {stored_shape}, not {descr} {shape}")
            for begin in range(0, max(shape[0], 1), _BLOCK):
                rows = min(_BLOCK, shape[0] - begin)
                raw = file.read(rows * shape[1] * dtype.itemsize)
                yield np.frombuffer(raw, dtype=dtype).reshape(rows, shape[1])
            if file.read(1):  # reading to the end also compares the checksum
                raise ValueError(f"{name} is longer than its header says")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise DamagedSnapshot(f"the snapshot {self._path} is damaged: {reason_of(error)}") from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
