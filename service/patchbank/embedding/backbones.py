"""What a backbone is, and the known ones. A backbone is data: a new model needs an entry here, but no new code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from patchbank.embedding.input_size import Area, InputSize
from patchbank.embedding.joining import Join
from patchbank.errors import ModelUnavailable
from patchbank.scales import Detail

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class HubFile:
    """One file of a repository on the Hugging Face hub, pinned by revision.

    If ``sha256`` is not known (None), the hash of the first pull is recorded and checked from then on.
    """

    repository: str
    revision: str
    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine that a manifest describes; ``sha256`` is None if the manifest gives none."""

    path: Path
    sha256: str | None = None


@dataclass(frozen=True)
class Packaged:
    """A file that is part of the package, and its SHA-256; None: any."""

    file_name: str
    sha256: str | None = None


@dataclass(frozen=True)
class Backbone:
    """A frozen network and how to feed it.

    ``size`` says how large the input is, its sides multiples of ``multiple``; one grid cell covers ``stride`` x
    ``stride`` input pixels. ``tokens`` says what the outputs mean: ``"grid"`` is two outputs, ``patch_output``
    (B, N, D) in row-major order and ``cls_output`` (B, D'); ``"sequence"`` is one output (B, 1 + registers + N, D),
    the CLS token first, ``registers`` skipped. ``more_outputs`` give patch tokens too, of other blocks of the network;
    ``join`` says how they and ``patch_output``'s become one embedding. ``max_batch`` is the most images that one
    forward pass may take: dynamic int8 has one scale for a whole batch, so an image's embedding would depend on the
    other images.
    Of a patch, the first ``own_channels`` are what the graph sees at the input's own size; the rest repeats what a
    smaller input shows, and is left out of the finer scales of a class. None: all channels are its own. ``detail`` is
    how finely pictures are seen unless a class asks for another. An input with a side longer than ``largest_tile``
    is cut into tiles of that many pixels a side; None: it never is.
    """

    name: str
    source: HubFile | LocalFile | Packaged
    size: InputSize
    multiple: int
    stride: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    tokens: Literal["grid", "sequence"] = "sequence"
    patch_output: str = "last_hidden_state"
    cls_output: str = "last_hidden_state"
    registers: int = 0
    max_batch: int | None = None
    own_channels: int | None = None
    detail: Detail = "fast"
    largest_tile: int | None = None
    more_outputs: tuple[str, ...] = ()
    join: Join = "concat"

    @property
    def patch_outputs(self) -> tuple[str, ...]:
        """All outputs whose patch tokens are joined."""
        return (self.patch_output, *self.more_outputs)

    def resized(self, size: InputSize) -> Backbone:
        """The same network at another input size; ``InvalidSettings`` if its sides are no multiples of ``multiple``."""
        size.check(self.multiple)
        return replace(self, size=size)

    def scaled(self, factor: float) -> Backbone:
        """The same network with inputs so many times as wide and as high."""
        return self if factor == 1.0 else replace(self, size=self.size.scaled(factor, self.multiple))


def _dinov2(name: str, source: HubFile, max_batch: int | None = None) -> Backbone:
    return Backbone(
        name=name,
        source=source,
        size=Area(448),
        multiple=14,
        stride=14,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        licence="Apache-2.0",
        max_batch=max_batch,
        largest_tile=896,
    )


BACKBONES: Final[dict[str, Backbone]] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="efficientnet-lite2",
            source=Packaged(
                "efficientnet-lite2.onnx", "9d58629bdc5abd9900d227b6623749c77aefd2ec33cd1f9988d178a56922385b"
            ),
            size=Area(512),
            multiple=32,
            stride=16,
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            licence="Apache-2.0",
            tokens="grid",
            patch_output="patch_tokens",
            cls_output="cls_token",
            own_channels=120,
            detail="standard",
            largest_tile=1536,
        ),
        _dinov2(
            "dinov2-vits14",
            HubFile(
                "onnx-community/dinov2-small-ONNX",
                "08c606e3123472a388efa59181b677d428f69bbd",
                "onnx/model.onnx",
                None,
                "6266c3cd72db6953cecdcbfeab9422a9f783d96f1a4e296ba70ffbac43b54a18",
            ),
        ),
        _dinov2(
            "dinov2-vits14-int8",
            HubFile(
                "onnx-community/dinov2-small",
                "8b1f705a3a7f6f062f6bdd21986c1583d3ef105d",
                "onnx/model_quantized.onnx",
                24446700,
                "c179f8f7f592449c4c1bca4cd124a7538021428c5ffb89afde9503935b197efb",
            ),
            max_batch=1,
        ),
        _dinov2(
            "dinov2-vitb14",
            HubFile(
                "onnx-community/dinov2-base",
                "31ef06cac16d5d301c5930d147002a058c85a5e4",
                "onnx/model.onnx",
                346627111,
                "320d1012a6fc65b101fc85ca30ee7a47b2e4f6a2e8bd78fb9d7036def0e30cb0",
            ),
        ),
    )
}


CHECKPOINTS: Final[dict[str, str]] = {
    "dinov2-vits14": "facebook/dinov2-small",
    "dinov2-vitb14": "facebook/dinov2-base",
    "dinov2-vitl14": "facebook/dinov2-large",
    "dinov2-vits14-reg": "facebook/dinov2-with-registers-small",
    "dinov2-vitb14-reg": "facebook/dinov2-with-registers-base",
    "dinov2-vitl14-reg": "facebook/dinov2-with-registers-large",
}
"""Official checkpoints by short name. Those without a pinned ONNX file above are made by ``indexer model export``."""


def packaged_model(file_name: str) -> Path:
    """Path of a model file that is part of the package."""
    path = Path(str(resources.files("patchbank.embedding") / "models" / file_name))
    if not path.is_file():
        raise ModelUnavailable(f"the built-in model {path} is missing; install patchbank again")
    return path
