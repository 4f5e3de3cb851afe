"""Checkpoints: where they come from, and what their folder holds beside the weights. Needs no PyTorch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from patchbank.embedding.backbones import CHECKPOINTS, IMAGENET_MEAN, IMAGENET_STD
from patchbank.errors import ExportFailed, ModelUnavailable
from patchbank_indexer.export.request import Stats

NETWORKS: Final = {
    "dinov2": "Dinov2Model",
    "dinov2_with_registers": "Dinov2WithRegistersModel",
    "dinov3_vit": "DINOv3ViTModel",
}
"""The class in ``transformers`` for each ``model_type`` that can be exported."""

_FILES: Final = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json", "README.md"]
_LICENCES: Final = {"apache-2.0": "Apache-2.0", "mit": "MIT", "cc-by-nc-4.0": "CC-BY-NC-4.0"}
_NOT_STATED: Final = "not stated"


@dataclass(frozen=True)
class Checkpoint:
    """A folder with config.json and safetensors, and what it says of its network and its input."""

    folder: Path
    model_type: str
    mean: Stats
    std: Stats
    licence: str


def open_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint of that name: a folder, a short name, or a repository of the hub (``HF_ENDPOINT`` is honoured).

    Raises ``ModelUnavailable`` where it can't be had, ``ExportFailed`` where its network is of another kind.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _from_hub(name, revision)
    config = _read_json(folder / "config.json")
    if config is None:
        raise ModelUnavailable(
            f"{folder} has no config.json: a checkpoint is a folder with config.json and safetensors"
        )
    model_type = str(config.get("model_type"))
    if model_type not in NETWORKS:
        raise ExportFailed(f"{name} is of type {model_type!r}; exported are {', '.join(NETWORKS)}")
    if not list(folder.glob("*.safetensors")):
        raise ModelUnavailable(f"{folder} has no .safetensors file beside its config.json")
    pictures = _read_json(folder / "preprocessor_config.json") or {}
    return Checkpoint(
        folder=folder,
        model_type=model_type,
        mean=_stats(pictures, "image_mean", IMAGENET_MEAN),
        std=_stats(pictures, "image_std", IMAGENET_STD),
        licence=_licence(folder),
    )


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  # slow to load, and few need it

    repository = CHECKPOINTS.get(name, name)
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository):
        known = ", ".join(CHECKPOINTS)
        raise ModelUnavailable(
            f"no checkpoint {name!r}: neither a folder nor a repository of the hub nor one of {known}"
        )
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # the hub's client raises its HTTP library's errors too, and that library has changed
        raise ModelUnavailable(
            f"{repository} is no folder here and cannot be had from the hub ({type(error).__name__}); bring its "
            "config.json, preprocessor_config.json and model.safetensors by hand into a folder and name that folder"
        ) from error


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, None where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelUnavailable(f"{path} holds no JSON object")
    return content


def _stats(pictures: dict[str, Any], key: str, default: Stats) -> Stats:
    values = pictures.get(key)
    if values is None:
        return default
    if not isinstance(values, list) or len(values) != 3 or not all(isinstance(value, int | float) for value in values):
        raise ModelUnavailable(f"preprocessor_config.json: {key} is not three numbers")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _licence(folder: Path) -> str:
    """As the model card's header states it; a fine-tuned checkpoint often has none."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _NOT_STATED
    header = re.match(r"---\s*\n(.*?)\n---", card, flags=re.DOTALL)
    if header is None:
        return _NOT_STATED
    for key in ("license_name", "license"):
        stated = re.search(rf"^{key}:\s*[\"']?([^\s\"']+)", header[1], flags=re.MULTILINE)
        if stated is not None:
            return _LICENCES.get(stated[1].lower(), stated[1])
    return _NOT_STATED
