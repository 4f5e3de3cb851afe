"""A checkpoint's network in PyTorch: patch and CLS tokens, L2-normalised, from chosen blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch.nn import functional
from transformers.utils import logging

from patchbank.errors import ExportFailed
from patchbank_indexer.export.checkpoints import NETWORKS, Checkpoint
from patchbank_indexer.export.positions import antialiased_bicubic
from patchbank_indexer.export.request import ExportRequest, Join, chosen_blocks


class Features(torch.nn.Module):
    """``patch_tokens`` (B, N, D), row by row, and ``cls_token`` (B, C) of images (B, 3, H, W)."""

    def __init__(self, network: Any, blocks: Sequence[int], join: Join) -> None:
        super().__init__()
        self.network = network
        self.join = join
        self.blocks = tuple(blocks)
        self.registers = int(getattr(network.config, "num_register_tokens", 0))
        self.stride = _patch_size(network.config)
        self.width = int(network.config.hidden_size)
        self.precision = torch.float32
        self._kept: dict[int, Any] = {}
        for block in self.blocks:
            if block < len(self.layers):
                self.layers[block - 1].register_forward_hook(self._keeper(block))

    @property
    def layers(self) -> Any:
        """The transformer blocks."""
        return blocks_of(self.network)

    @property
    def patch_dim(self) -> int:
        """Length of a patch token."""
        return self.width * (len(self.blocks) if self.join == "concat" else 1)

    def forward(self, pixel_values: Any) -> tuple[Any, Any]:
        """Both outputs; H and W are multiples of ``stride``."""
        last = self.network(pixel_values=pixel_values.to(self.precision)).last_hidden_state
        tokens = [self._normalised(self._kept.pop(block, last)) for block in self.blocks]
        patches = tokens[0]
        if len(tokens) > 1:
            joined = torch.cat(tokens, dim=-1) if self.join == "concat" else torch.stack(tokens).mean(dim=0)
            patches = functional.normalize(joined, dim=-1)
        return patches, functional.normalize(last[:, 0].to(torch.float32), dim=-1)

    def halve(self) -> None:
        """Compute in fp16; input, outputs, positions and the normalisation to unit length stay fp32.

        A token's sum of squares can pass fp16's 65,504. Buffers stay as they are: they are the positions' frequencies.
        """
        self.precision = torch.float16
        for weight in self.network.parameters():
            weight.data = weight.data.to(torch.float16)

    def _normalised(self, tokens: Any) -> Any:
        return functional.normalize(tokens[:, 1 + self.registers :].to(torch.float32), dim=-1)

    def _keeper(self, block: int) -> Any:
        norm = getattr(self.network, "layernorm", None) or self.network.norm

        def keep(_layer: Any, _inputs: Any, output: Any) -> None:
            # Normalised here, before the next block: ONNX Runtime's fusion takes a block's last LayerNorm for its own.
            self._kept[block] = norm(output[0] if isinstance(output, tuple) else output)

        return keep


def load_features(checkpoint: Checkpoint, request: ExportRequest) -> Features:
    """The checkpoint's network with its weights; ``ExportFailed`` where a weight is missing or of another shape."""
    kind = getattr(transformers, NETWORKS[checkpoint.model_type], None)
    if kind is None:
        raise ExportFailed(
            f"the installed transformers {transformers.__version__} has no {NETWORKS[checkpoint.model_type]}; "
            "install a newer one: pip install -U transformers"
        )
    try:
        with _no_progress_bar():
            network, loaded = kind.from_pretrained(
                str(checkpoint.folder),
                attn_implementation="eager",
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # a broken file raises the types of several libraries
        raise ExportFailed(f"{checkpoint.folder} cannot be loaded: {error}") from error
    # transformers fills a weight that the file lacks with random numbers, and only says so in its log
    lacking = sorted(str(key) for key in loaded["missing_keys"] if not str(key).endswith("mask_token"))
    if lacking:
        raise ExportFailed(f"{checkpoint.folder} lacks weights of its network: {', '.join(lacking[:5])} ...")
    network.eval().requires_grad_(False)
    depth = len(blocks_of(network))
    return Features(network, chosen_blocks(request.blocks, depth), request.join).eval()


def blocks_of(network: Any) -> Any:
    """The list of transformer blocks, wherever this version of transformers keeps it."""
    depth = network.config.num_hidden_layers
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth and name.split(".")[-1] == "layer":
            return module
    raise ExportFailed(
        f"{type(network).__name__} of transformers {transformers.__version__} keeps its blocks elsewhere"
    )


def fold_layer_scale(features: Features) -> None:
    """Multiply each LayerScale into the linear layer before it.

    The values stay the same to rounding; without a product between projection and residual sum ONNX Runtime
    finds the attention to fuse, and there are two passes over the tokens less in every block.
    """
    with torch.no_grad():
        for layer in features.layers:
            for branch, name in ((layer.attention, "layer_scale1"), (layer.mlp, "layer_scale2")):
                scale = getattr(layer, name).lambda1
                linear = [module for module in branch.modules() if isinstance(module, torch.nn.Linear)][-1]
                linear.weight.mul_(scale[:, None])
                if linear.bias is not None:
                    linear.bias.mul_(scale)
                setattr(layer, name, torch.nn.Identity())


def make_positions_traceable(features: Features) -> None:
    """Give networks whose position embeddings are resized with antialiasing a resize that ONNX has operators for."""
    if features.network.config.model_type != "dinov2_with_registers":
        return
    embeddings = features.network.embeddings
    stride, table = features.stride, embeddings.position_embeddings
    side = round((table.shape[1] - 1) ** 0.5)

    def interpolate(_tokens: Any, height: Any, width: Any) -> Any:
        grid = table[0, 1:].to(torch.float32).reshape(side, side, -1)
        resized = antialiased_bicubic(grid, height // stride, width // stride).to(table.dtype)
        return torch.cat([table[:, :1], resized.flatten(0, 1)[None]], dim=1)

    embeddings.interpolate_pos_encoding = interpolate


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Hide the progress bar of transformers, which would overwrite the caller's lines."""
    bars: Any = logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _patch_size(config: Any) -> int:
    sides = config.patch_size if isinstance(config.patch_size, list | tuple) else [config.patch_size]
    if len(set(sides)) != 1:
        raise ExportFailed(f"patches of {' x '.join(map(str, sides))} pixels are not square: not supported")
    return int(sides[0])
