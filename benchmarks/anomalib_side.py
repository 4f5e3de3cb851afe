"""anomalib's own AnomalyDINO (``pip install anomalib``) with the weights of a checkpoint on this machine.

Its preprocessor is asked for the same input size as the others; all else is its default. It runs without Lightning's
trainer and loaders, which only add to its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
import torch
from anomalib.data.utils import read_image
from anomalib.models import AnomalyDINO
from safetensors.torch import load_file

from patchbank_indexer.export.checkpoints import open_checkpoint

_NAMES = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("encoder.layer.", "blocks."),
    ("attention.output.dense", "attn.proj"),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("layernorm.", "norm."),
)
_JOINED = "attention.attention."
"""Query, key and value are three matrices in a checkpoint and one in ``timm``."""


class AnomalibSide:
    """Teaches one class and scores pictures, as ``benchmarks.plain_pytorch.PlainPyTorch`` does."""

    channels_last = False
    at_once = 2
    """Its three matrices of a batch's patches by the bank's take 1.2 GB for each picture and 100,000 patches."""

    def __init__(self, checkpoint: str, side: int) -> None:
        with patch("timm.create_model", partial(_without_download, timm.create_model)):
            ready = AnomalyDINO.configure_pre_processor((side, side))
            self._model = AnomalyDINO(pre_processor=ready, evaluator=False, visualizer=False).model
        self._transform = ready.transform
        weights: dict[str, Any] = {}
        for file in open_checkpoint(checkpoint).folder.glob("*.safetensors"):
            weights |= load_file(file)
        self._model.feature_encoder.feature_extractor.load_state_dict(_renamed(weights), strict=True)

    def read(self, file: Path) -> Any:
        """The network's input (1, 3, side, side) of a picture's file."""
        return self._transform(read_image(file, as_tensor=True))[None]

    def features(self, images: Any) -> Any:
        """Patch features (B, N, D)."""
        with torch.inference_mode():
            return self._model.extract_features(images)

    def teach(self, files: Sequence[Path]) -> None:
        """Fill the bank from normal pictures."""
        self._model.train()
        with torch.inference_mode():
            for file in files:
                self._model(self.read(file))
            self._model.fit()

    def threshold(self, images: int) -> None:
        """It takes its thresholds from labelled pictures, which are not given here."""

    def detect(self, files: Sequence[Path], batch: int = 1) -> list[tuple[float, Any]]:
        """Image score and map of each picture. A batch goes through at once, and takes three matrices of all its
        patches by all of the bank's: with many pictures, more memory than there is."""
        self._model.eval()
        found = []
        with torch.inference_mode():
            for images in self._batches(files, batch):
                made = self._model(images)
                found += list(zip(made.pred_score.flatten().tolist(), made.anomaly_map[:, 0], strict=True))
        return found

    def _batches(self, files: Sequence[Path], batch: int) -> Iterator[Any]:
        for begin in range(0, len(files), batch):
            yield torch.cat([self.read(file) for file in files[begin : begin + batch]])

    def save(self, file: Path) -> None:
        """Write the bank."""
        torch.save(self._model.memory_bank, file)

    def load(self, file: Path) -> None:
        """Read a bank that ``save`` wrote."""
        self._model.memory_bank = torch.load(file, weights_only=True)


def _without_download(create: Any, *args: Any, **options: Any) -> Any:
    return create(*args, **{**options, "pretrained": False})


def _renamed(weights: Mapping[str, Any]) -> dict[str, Any]:
    """A DINOv2 checkpoint's weights under the names that ``timm`` has for them."""
    made: dict[str, Any] = {}
    for name, weight in weights.items():
        if name == "embeddings.mask_token":
            continue
        other = name
        for theirs, ours in _NAMES:
            other = other.replace(theirs, ours)
        if _JOINED not in name:
            made[other] = weight
        elif "query" in name:
            three = [weights[name.replace("query", part)] for part in ("query", "key", "value")]
            made[other.replace(f"{_JOINED}query", "attn.qkv")] = torch.cat(three)
    return made
