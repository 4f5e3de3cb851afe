"""Where pulled models lie, and whether a file is the one that is pinned."""

from __future__ import annotations

from pathlib import Path

from service.embedding.backbones import Backbone, HubFile, packaged_model
from service.errors import ModelUnavailable


def pulled_path(name: str, source: HubFile, data_dir: Path) -> Path:
    """Place of a pulled model; the revision is part of it, so that two pins never mix."""
    return data_dir / "models" / f"{name}-{source.revision[:12]}.onnx"


def model_path(backbone: Backbone, data_dir: Path) -> Path:
    """The backbone's file: in the package, or among the pulled models; ``ModelUnavailable`` where it is not."""
    if isinstance(backbone.source, str):
        return packaged_model(backbone.source)
    path = pulled_path(backbone.name, backbone.source, data_dir)
    if not path.is_file():
        raise ModelUnavailable(
            f"the backbone {backbone.name} is not here: run `indexer model pull {backbone.name}`, or bring "
            f"{backbone.source.path} of {backbone.source.repository} by hand to {path}"
        )
    return path


def check_pin(backbone: Backbone, sha256: str) -> None:
    """Refuse a pulled file whose SHA-256 is not the pinned one."""
    pinned = backbone.source.sha256 if isinstance(backbone.source, HubFile) else None
    if pinned is not None and pinned != sha256:
        raise ModelUnavailable(f"the file of {backbone.name} has SHA-256 {sha256}, pinned is {pinned}: pull it again")
