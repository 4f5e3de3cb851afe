"""Finds the backbone of a name and the backbone's file, and checks that it is the pinned file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from patchbank.embedding.backbones import BACKBONES, CHECKPOINTS, Backbone, HubFile, LocalFile, Packaged, packaged_model
from patchbank.embedding.model_manifest import read_model_manifest
from patchbank.errors import ModelUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular_text
from patchbank.settings import AUTO
from patchbank.text import quoted

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_RECORD: Final = 1_000
_AGAIN: Final[dict[type, str]] = {
    HubFile: "pull it again",
    LocalFile: "export it again",
    Packaged: "it is damaged, install patchbank again",
}


def models_dir(data_dir: Path) -> Path:
    """Where pulled and exported models lie."""
    return data_dir / "models"


def find_backbone(name: str, data_dir: Path) -> Backbone:
    """The backbone of that name: a known one, an exported one (``NAME.json`` among the models), or the path of a
    manifest; ``ModelUnavailable`` says which names there are."""
    if name in BACKBONES:
        return BACKBONES[name]
    if name.endswith(".json"):
        return read_model_manifest(Path(name))
    manifest = models_dir(data_dir) / f"{name}.json"
    if "/" not in name and manifest.is_file():
        return read_model_manifest(manifest)
    if name in CHECKPOINTS:
        raise ModelUnavailable(f"the backbone {name} is not here: make it with `indexer model export {name}`")
    if name == AUTO:
        raise ModelUnavailable(f"{AUTO} is no backbone: it stands for one that is decided for a bank store")
    known = [*sorted(BACKBONES), *local_names(data_dir)]
    raise ModelUnavailable(f"no backbone {quoted(name)}; known are {', '.join(known)}, or the path of a model manifest")


def local_names(data_dir: Path) -> list[str]:
    """Names of the models that have a manifest in the data directory, such as exported ones."""
    try:
        return sorted(path.stem for path in models_dir(data_dir).glob("*.json") if not path.name.startswith("."))
    except OSError:
        return []


def pulled_path(name: str, source: HubFile, data_dir: Path) -> Path:
    """Path of a pulled model. The revision is part of it, so that files of two revisions never mix."""
    return models_dir(data_dir) / f"{name}-{source.revision[:12]}.onnx"


def model_path(backbone: Backbone, data_dir: Path) -> Path:
    """Path of the backbone's file. If it is not here, ``ModelUnavailable`` says how to get it."""
    match backbone.source:
        case HubFile() as source:
            path = pulled_path(backbone.name, source, data_dir)
            if not path.is_file():
                raise ModelUnavailable(
                    f"the backbone {backbone.name} is not here: run `indexer model pull {backbone.name}`; without a "
                    f"way to the hub bring {source.path} of {source.repository} (revision {source.revision}) and run "
                    f"`indexer model pull {backbone.name} --from FILE`"
                )
            return path
        case LocalFile(path=path):
            if not path.is_file():
                raise ModelUnavailable(f"the file {path} of {backbone.name} is missing: its manifest names it")
            return path
        case packaged:
            return packaged_model(packaged.file_name)


def record_path(path: Path) -> Path:
    """Where the hash of a first pull is recorded."""
    return path.with_suffix(".sha256")


def pinned_sha256(backbone: Backbone, data_dir: Path) -> str | None:
    """The SHA-256 that the file must have: pinned, stated in its manifest, or recorded at the first pull. Raises
    ``ModelUnavailable`` for a damaged record."""
    source = backbone.source
    if source.sha256 is not None or not isinstance(source, HubFile):
        return source.sha256
    record = record_path(pulled_path(backbone.name, source, data_dir))
    try:
        sha256 = read_regular_text(record, _MOST_RECORD).strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"{record} cannot be read: {reason_of(error)}") from error
    if not _SHA256.fullmatch(sha256):
        raise ModelUnavailable(f"{record} holds no SHA-256: remove it and the model, and pull it again")
    return sha256


def check_pin(backbone: Backbone, sha256: str, data_dir: Path) -> None:
    """Refuse a file whose SHA-256 is not the pinned one."""
    pinned = pinned_sha256(backbone, data_dir)
    if pinned is not None and pinned != sha256:
        raise ModelUnavailable(
            f"the file of {backbone.name} has SHA-256 {sha256}, pinned is {pinned}: {_AGAIN[type(backbone.source)]}"
        )
