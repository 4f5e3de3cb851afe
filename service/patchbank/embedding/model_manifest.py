"""The manifest of a model file: a small JSON document that makes any ONNX graph a backbone."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from patchbank.atomic_file import replace_file
from patchbank.disk import write_error
from patchbank.embedding.backbones import Backbone, LocalFile
from patchbank.embedding.input_size import parse_size
from patchbank.embedding.joining import Join
from patchbank.errors import DataDirNotWritable, InvalidSettings, ModelUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular_text

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
"""Pattern of a backbone's name, which is a file's name too."""

_MOST: Final = 1 << 20
"""Most bytes of a manifest."""

Triple = tuple[float, float, float]


class ModelManifest(BaseModel):
    """What the graph in ``file`` (beside the manifest) is and how to feed it; fields as in ``Backbone``.

    ``input_size`` is ``"448"`` (pixel budget, aspect kept) or ``"448x448"`` (width x height, for graphs that take only
    one size). ``patch_output`` may name several outputs, such as those of several blocks; ``join`` says how their
    tokens become one embedding, and the last named one gives the CLS token of a sequence. ``made`` holds facts for
    people, such as the checkpoint of an export; nothing depends on them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=f"^{NAME}$")
    file: str = Field(min_length=1)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    input_size: str = "448"
    stride: int = Field(ge=1, le=256)
    multiple: int | None = Field(default=None, ge=1, le=1024)
    mean: Triple
    std: Triple
    tokens: Literal["grid", "sequence"]
    patch_output: str | Annotated[tuple[str, ...], Field(min_length=1)]
    join: Join = "concat"
    cls_output: str | None = None
    registers: int = Field(default=0, ge=0, le=64)
    max_batch: int | None = Field(default=None, ge=1)
    licence: str = "not stated"
    made: dict[str, Any] = Field(default_factory=dict)

    @field_validator("file")
    @classmethod
    def _is_beside_it(cls, value: str) -> str:
        place = PurePosixPath(value)
        if place.is_absolute() or ".." in place.parts or not value.isprintable():
            raise ValueError("the name of a file beside the manifest")
        return value

    @field_validator("std")
    @classmethod
    def _positive(cls, value: Triple) -> Triple:
        if min(value) <= 0:
            raise ValueError("every deviation is above 0")
        return value

    def backbone(self, folder: Path) -> Backbone:
        """The backbone that this manifest describes; its file lies in ``folder``."""
        multiple = self.multiple or self.stride
        if multiple % self.stride:
            raise InvalidSettings(f"{self.name}: multiple {multiple} is no multiple of the stride {self.stride}")
        first, *more = (self.patch_output,) if isinstance(self.patch_output, str) else self.patch_output
        if self.tokens == "grid" and self.cls_output is None:
            raise InvalidSettings(f"{self.name}: tokens 'grid' needs a cls_output beside the patch_output")
        size = parse_size(self.input_size)
        size.check(multiple)
        return Backbone(
            name=self.name,
            source=LocalFile(folder / self.file, self.sha256),
            size=size,
            multiple=multiple,
            stride=self.stride,
            mean=self.mean,
            std=self.std,
            licence=self.licence,
            tokens=self.tokens,
            patch_output=first,
            cls_output=self.cls_output or [first, *more][-1],
            registers=self.registers,
            max_batch=self.max_batch,
            more_outputs=tuple(more),
            join=self.join,
        )


def read_model_manifest(path: Path) -> Backbone:
    """The backbone of the manifest at ``path``; ``ModelUnavailable`` names the field that is wrong."""
    try:
        return ModelManifest.model_validate(json.loads(read_regular_text(path, _MOST))).backbone(path.parent)
    except OSError as error:
        raise ModelUnavailable(f"model manifest {path}: {reason_of(error)}") from error
    except ValidationError as error:
        raise ModelUnavailable(f"model manifest {path}: {reason_of(error)}") from error
    except InvalidSettings as error:
        raise ModelUnavailable(f"model manifest {path}: {error.message}") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable(f"model manifest {path} is not JSON: {reason_of(error)}") from error


def write_model_manifest(manifest: ModelManifest, path: Path) -> None:
    """Write the manifest in one step: a reader sees either the old file or the new one."""
    try:
        replace_file(path, manifest.model_dump_json(indent=1, exclude_none=True) + "\n")
    except OSError as error:
        raise write_error(error, f"{path}", DataDirNotWritable, path.parent) from error
