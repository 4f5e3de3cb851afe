"""Small checkpoints with seeded random weights, as ``save_pretrained`` writes them. Needs PyTorch and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

TINY: dict[str, Any] = {
    "hidden_size": 48,
    "num_attention_heads": 3,
    "num_hidden_layers": 3,
    "image_size": 126,
    "patch_size": 14,
    "initializer_range": 0.15,
}
SMALL: dict[str, Any] = {
    "hidden_size": 384,
    "num_attention_heads": 6,
    "num_hidden_layers": 12,
    "image_size": 518,
    "patch_size": 14,
    "initializer_range": 0.05,
}
BASE: dict[str, Any] = SMALL | {"hidden_size": 768, "num_attention_heads": 12}


def write_checkpoint(folder: Path, kind: str = "Dinov2Model", **shape: Any) -> Path:
    """A checkpoint of that class. Every bias, scale, position and special token differs from its default."""
    family = kind.removesuffix("Model").removesuffix("ForImageClassification")
    bars: Any = logging
    bars.disable_progress_bar()
    config = getattr(transformers, f"{family}Config")(**(TINY | shape))
    torch.manual_seed(0)
    network = getattr(transformers, kind)(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lambda1" in name:
                weight.uniform_(0.1, 1.0)
            elif weight.ndim == 1 or "token" in name or "position" in name:
                weight.add_(torch.randn_like(weight), alpha=0.2)
    network.save_pretrained(folder)
    return folder


def reference(folder: Path, kind: str, images: Any, blocks: tuple[int, ...] = (), join: str = "concat") -> Any:
    """(patches, cls) as transformers computes them and plain arithmetic joins them: an export must give the same."""
    network = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    first = 1 + getattr(network.config, "num_register_tokens", 0)
    norm = getattr(network, "layernorm", None) or network.norm
    with torch.no_grad():
        output = network.eval()(pixel_values=torch.from_numpy(images), output_hidden_states=True)
        last = output.last_hidden_state
        tokens = [norm(output.hidden_states[block]) for block in blocks] or [last]
        parts = [_unit(each[:, first:]) for each in tokens]
        joined = torch.cat(parts, dim=-1) if join == "concat" else sum(parts) / len(parts)
        return _unit(joined).numpy(), _unit(last[:, 0]).numpy()


def add_preprocessing(folder: Path, mean: list[float], std: list[float]) -> None:
    """The file that says how pictures are normalised."""
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean, "image_std": std}))


def _unit(tokens: Any) -> Any:
    return tokens / tokens.square().sum(dim=-1, keepdim=True).sqrt()
