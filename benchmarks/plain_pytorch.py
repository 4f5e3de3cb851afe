"""A memory bank in plain PyTorch, step by step as anomalib's AnomalyDINO does it at its defaults.

A picture is resized (bicubic, antialiased) to one size and normalised; the network's last patch tokens, L2-normalised,
are the features. The bank is those of all normal pictures. A patch's score is its cosine distance to the nearest one
of the bank, by one matrix product with all of it; the image score is the mean of the highest 1 %; the map is the grid
of scores, enlarged to the input's size and smoothed by a Gaussian (sigma 4). No coreset, no background mask: both are
off there too.

What is faster here than there: ``inference_mode``, the largest similarity of each row instead of a distance matrix and
``topk`` over it, and channels last where the network gains by it.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from patchbank.embedding.backbones import IMAGENET_MEAN, IMAGENET_STD

_SIGMA: Final = 4.0
_TOP: Final = 0.01
_TRIES: Final = 3

Network = Callable[[Any], Any]
"""Images (B, 3, H, W) -> patch features (B, N, D)."""


class PlainPyTorch:
    """Teaches one class and scores pictures, on the processor. ``side`` is the input's width and height in pixels,
    ``stride`` that of a patch; ``channels_last`` None tries both orders and takes the faster one."""

    at_once = 8
    """Pictures of one forward pass, where several are sent at once."""

    def __init__(self, network: Any, side: int, stride: int, channels_last: bool | None = None) -> None:
        self._network = network
        self._side = side
        self._grid = side // stride
        self._mean, self._std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        reach = int(4.0 * _SIGMA + 0.5)
        bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / _SIGMA) ** 2)
        self._reach, self._bell = reach, bell / bell.sum()
        self.bank = torch.empty(0)
        self._order = torch.contiguous_format
        self.channels_last = self._faster_order() if channels_last is None else channels_last
        self._set_order(self.channels_last)

    def _set_order(self, channels_last: bool) -> None:
        self._order = torch.channels_last if channels_last else torch.contiguous_format
        self._network.to(memory_format=self._order)

    def _faster_order(self) -> bool:
        spent = {}
        for last in (False, True):
            self._set_order(last)
            each = []
            for _ in range(_TRIES):
                begin = time.perf_counter()
                self.features(torch.zeros(1, 3, self._side, self._side))
                each.append(time.perf_counter() - begin)
            spent[last] = min(each)
        return spent[True] < spent[False]

    def read(self, file: Path) -> Any:
        """The network's input (1, 3, side, side) of a picture's file."""
        with Image.open(file) as picture:
            pixels = torch.from_numpy(np.array(picture.convert("RGB")))
        values = pixels.permute(2, 0, 1)[None].to(torch.float32) / 255.0
        size = (self._side, self._side)
        values = functional.interpolate(values, size, mode="bicubic", antialias=True, align_corners=False)
        return (values.clamp(0.0, 1.0) - self._mean) / self._std

    def features(self, images: Any) -> Any:
        """Patch features (B, N, D) of inputs (B, 3, side, side)."""
        with torch.inference_mode():
            return self._network(images.contiguous(memory_format=self._order))

    def teach(self, files: Sequence[Path], batch: int = 1) -> None:
        """Fill the bank from normal pictures."""
        with torch.inference_mode():
            self.bank = torch.vstack([self.features(images).flatten(0, 1) for images in self._batches(files, batch)])

    def detect(self, files: Sequence[Path], batch: int = 1) -> list[tuple[float, Any]]:
        """Image score and map (side, side) of each picture, in their order."""
        found: list[tuple[float, Any]] = []
        with torch.inference_mode():
            for images in self._batches(files, batch):
                found += map(self._judged, self.features(images))  # a product of all at once would take gigabytes
        return found

    def _batches(self, files: Sequence[Path], batch: int) -> Iterator[Any]:
        for begin in range(0, len(files), batch):
            yield torch.cat([self.read(file) for file in files[begin : begin + batch]])

    def threshold(self, images: int, rate: float = 0.01) -> float:
        """A threshold that the share ``rate`` of the bank's own pictures is above, each scored against all others."""
        each = len(self.bank) // images
        with torch.inference_mode():
            scores = []
            for begin in range(0, len(self.bank), each):
                similarity = self.bank[begin : begin + each] @ self.bank.T
                similarity[:, begin : begin + each] = -1.0
                scores.append(_score(1.0 - similarity.amax(dim=1)))
        return float(np.quantile(scores, 1.0 - rate))

    def _judged(self, features: Any) -> tuple[float, Any]:
        distances = (1.0 - (features @ self.bank.T).amax(dim=1)).clamp(0.0, 2.0)
        score = _score(distances)
        grid = distances.reshape(1, 1, self._grid, self._grid)
        large = functional.interpolate(grid, (self._side, self._side))
        padded = functional.pad(large, [self._reach] * 4, mode="reflect")
        rows = functional.conv2d(padded, self._bell.reshape(1, 1, -1, 1))
        return score, functional.conv2d(rows, self._bell.reshape(1, 1, 1, -1))[0, 0]

    def save(self, file: Path) -> None:
        """Write the bank."""
        torch.save(self.bank, file)

    def load(self, file: Path) -> None:
        """Read a bank that ``save`` wrote."""
        self.bank = torch.load(file, weights_only=True)


def _score(distances: Any) -> float:
    """The mean of the highest of the patches' distances (N,)."""
    return float(distances.topk(max(1, int(len(distances) * _TOP))).values.mean())


class Tokens(torch.nn.Module):
    """A checkpoint's last patch tokens (B, N, D), L2-normalised."""

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        from transformers import AutoModel  # noqa: PLC0415  # seconds of imports that the other network does not need

        self.network = AutoModel.from_pretrained(checkpoint).eval()
        self.stride = int(self.network.config.patch_size)
        self._skipped = 1 + int(getattr(self.network.config, "num_register_tokens", 0))

    def forward(self, images: Any) -> Any:
        """The tokens of images (B, 3, H, W)."""
        return functional.normalize(self.network(pixel_values=images).last_hidden_state[:, self._skipped :], dim=-1)


class BuiltIn(torch.nn.Module):
    """The built-in backbone's network, from which its ONNX file was made."""

    stride = 16

    def __init__(self) -> None:
        super().__init__()
        script = Path(__file__).parents[1] / "service" / "build_backbone.py"
        spec = importlib.util.spec_from_file_location("build_backbone", script)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.network = module.load_features()

    def forward(self, images: Any) -> Any:
        """The tokens of images (B, 3, H, W)."""
        return self.network(images)[0]
