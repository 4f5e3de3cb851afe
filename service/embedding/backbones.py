"""The registry of backbones. A backbone is data: a new model is an entry here, not new code."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from service.errors import ModelUnavailable

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the Hugging Face hub, pinned by revision; ``sha256`` None where it is not known."""

    repository: str
    revision: str
    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class Backbone:
    """A frozen network and how to feed it.

    ``area`` is the pixel budget: an image is scaled, its aspect kept, to about ``area`` pixels with both sides
    multiples of ``multiple``; one grid cell covers ``stride`` x ``stride`` input pixels. ``tokens`` says what the
    outputs mean: ``"grid"`` is two outputs, ``patch_output`` (B, N, D) in row-major order and ``cls_output``
    (B, D'); ``"sequence"`` is one output (B, 1 + registers + N, D), the CLS token first, ``registers`` skipped.
    """

    name: str
    source: HubFile | str
    area: int
    multiple: int
    stride: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    tokens: Literal["grid", "sequence"] = "sequence"
    patch_output: str = "last_hidden_state"
    cls_output: str = "last_hidden_state"
    registers: int = 0

    @property
    def built_in(self) -> bool:
        """Whether the file is part of the package."""
        return isinstance(self.source, str)


def _dinov2(name: str, source: HubFile) -> Backbone:
    return Backbone(
        name=name, source=source, area=448 * 448, multiple=14, stride=14,
        mean=IMAGENET_MEAN, std=IMAGENET_STD, licence="Apache-2.0",
    )  # fmt: skip


BACKBONES: Final[dict[str, Backbone]] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="efficientnet-lite2", source="efficientnet-lite2.onnx", area=512 * 512, multiple=32, stride=16,
            mean=(127 / 255,) * 3, std=(128 / 255,) * 3, licence="Apache-2.0",
            tokens="grid", patch_output="patch_tokens", cls_output="cls_token",
        ),
        _dinov2("dinov2-vits14", HubFile(
            "onnx-community/dinov2-small", "8b1f705a3a7f6f062f6bdd21986c1583d3ef105d", "onnx/model.onnx",
            88532934, "f22797eabf810a75e41de68d378541ebea372122b25c4ce3ef25ff618250c20a",
        )),
        _dinov2("dinov2-vitb14", HubFile(
            "onnx-community/dinov2-base", "31ef06cac16d5d301c5930d147002a058c85a5e4", "onnx/model.onnx",
            346627111, "320d1012a6fc65b101fc85ca30ee7a47b2e4f6a2e8bd78fb9d7036def0e30cb0",
        )),
    )
}  # fmt: skip


def find_backbone(name: str) -> Backbone:
    """The backbone of that name; ``ModelUnavailable`` names the known ones."""
    try:
        return BACKBONES[name]
    except KeyError:
        raise ModelUnavailable(f"no backbone {name!r}; known are {', '.join(sorted(BACKBONES))}") from None


def packaged_model(file_name: str) -> Path:
    """Path of a model file that is part of the package."""
    path = Path(str(resources.files("service.embedding") / "models" / file_name))
    if not path.is_file():
        raise ModelUnavailable(f"the built-in model {path} is missing; install patchbank again")
    return path
