"""Which backbone a store without banks is begun with: DINOv2 where it can be had, else the built-in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from patchbank.embedding.backbones import BACKBONES, HubFile
from patchbank.embedding.download import pull_model, verify_model
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import parse_size
from patchbank.embedding.model_files import model_path
from patchbank.errors import ModelUnavailable, PatchbankError
from patchbank.onnx_runtime import onnx_runtime
from patchbank.settings import Settings

BUILT_IN: Final = "efficientnet-lite2"
_ON_A_PROCESSOR: Final = "dinov2-vits14"
_ON_A_GPU: Final = "dinov2-vitb14"
_GPU_PROVIDERS: Final = frozenset({"cuda", "tensorrt"})

PATIENCE: Final = 4.0
"""Seconds that the hub has to answer."""
LIMIT: Final = 900.0
"""Seconds that it then has to send the file: 0.4 MB/s are enough for ViT-B."""


@dataclass(frozen=True)
class FirstChoice:
    """A backbone and why it was taken."""

    backbone: str
    why: str


def wanted(providers: Sequence[str]) -> str:
    """The DINOv2 for these execution providers: ViT-B/14 where one of them is a GPU's, else ViT-S/14."""
    return _ON_A_GPU if _GPU_PROVIDERS & set(providers) else _ON_A_PROCESSOR


def first_choice(settings: Settings, tell: Callable[[str], None]) -> FirstChoice:
    """Bring DINOv2, verify it and run it once at the input size of the settings; the built-in backbone where any of
    that fails.

    Takes seconds where the hub does not answer. ``tell`` is called before what takes longer. Raises what has nothing to
    do with DINOv2: ``ProviderUnavailable`` without an ONNX Runtime, ``InvalidSettings`` for an input size that is none.
    """
    onnx_runtime()
    if settings.input_size:
        parse_size(settings.input_size)
    name = wanted(settings.providers)
    try:
        if not _is_here(name, settings):
            tell(_asking(name))
            pull_model(BACKBONES[name], settings.data_dir, patience=PATIENCE, limit=LIMIT)
        verify_model(BACKBONES[name], settings.data_dir)
        # On the processor, whatever the providers: a GPU may be another machine's, and the sizes that a graph takes
        # are the same everywhere.
        tried = {"backbone": name, "providers": ("cpu",), "precision": "fp32", "engine_cache": None}
        Embedder.open(settings.model_copy(update=tried)).close()
    except PatchbankError as error:
        return FirstChoice(BUILT_IN, f"{name} cannot be used here: {error.message}")
    return FirstChoice(name, "its file is here, verified and tried")


def _is_here(name: str, settings: Settings) -> bool:
    try:
        return model_path(BACKBONES[name], settings.data_dir).is_file()
    except ModelUnavailable:
        return False


def _asking(name: str) -> str:
    source = BACKBONES[name].source
    size = f" ({source.size / 1e6:.0f} MB)" if isinstance(source, HubFile) and source.size else ""
    return f"asking the hub for {name}{size}: it has {PATIENCE:g} s to answer and {LIMIT / 60:g} minutes to send it"
