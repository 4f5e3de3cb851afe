"""Brings a pinned model file, from the hub or by hand. The file is verified before it is put in its place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from patchbank.atomic_file import replace_file, replacing
from patchbank.disk import require_space, write_error
from patchbank.embedding.backbones import Backbone, HubFile
from patchbank.embedding.fetching import HubFailure, ask, bring, bring_within
from patchbank.embedding.model_files import check_pin, model_path, models_dir, pinned_sha256, pulled_path, record_path
from patchbank.embedding.model_hash import file_sha256, model_sha256
from patchbank.errors import DataDirNotWritable, ModelUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import open_regular

_MOST: Final = 1 << 31
"""Most bytes of an ONNX file: protobuf's limit."""


def pull_model(
    backbone: Backbone,
    data_dir: Path,
    *,
    patience: float = 10.0,
    limit: float | None = None,
    endpoint: str | None = None,
    offline: bool = False,
) -> Path:
    """Bring a backbone's file from the hub (or the mirror in ``HF_ENDPOINT``) and return its path.

    ``patience`` is how many seconds the hub may take to answer, ``limit`` how many it may then take to send the file
    (None: any number). ``offline``, or ``HF_HUB_OFFLINE``, takes the file from the hub client's cache alone. A transfer
    that breaks off is resumed a few times. A file that is already here is not pulled again. Raises
    ``ModelUnavailable`` if the file can't be had or is not the pinned one.
    """
    from huggingface_hub import constants  # noqa: PLC0415  # slow to load, and few need it

    source = _pullable(backbone)
    target = pulled_path(backbone.name, source, data_dir)
    if target.is_file():
        return target
    require_space(target.parent, 2 * (source.size or 0), f"pulling {backbone.name}")  # it is copied into its place
    partial = _make_folder(target.parent / f".pull-{backbone.name}")
    try:
        cached = offline or constants.HF_HUB_OFFLINE
        fetched = _fetch(backbone.name, source, None if cached else partial, patience, limit, endpoint)
        return _place(fetched, backbone, source, data_dir)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(
    name: str, source: HubFile, folder: Path | None, patience: float, limit: float | None, endpoint: str | None
) -> Path:
    """Fetch the file from the hub into ``folder``, or from the hub client's cache if ``folder`` is None."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  # slow to load, and few need it

    repository, path, revision = source.repository, source.path, source.revision
    try:
        if folder is None:
            return Path(hf_hub_download(repository, path, revision=revision, local_files_only=True))
        if limit is not None:
            return bring_within(repository, revision, path, folder, patience, limit, endpoint)
        ask(repository, revision, path, patience, endpoint)
        return bring(repository, revision, path, folder, patience, endpoint)
    except Exception as error:  # it raises its HTTP library's errors too, and has changed that library before
        asked = "the hub" if folder is not None else "the hub client's cache"
        why = str(error) if isinstance(error, HubFailure) else type(error).__name__
        raise ModelUnavailable(
            f"{name} cannot be pulled from {asked} ({why}). Bring {path} of {repository}, revision "
            f"{revision}, by hand and run `indexer model pull {name} --from FILE`"
        ) from error


def place_model(backbone: Backbone, file: Path, data_dir: Path) -> Path:
    """Put a file that was brought by hand in the place of a pulled one, after checking that it is the pinned file."""
    source = _pullable(backbone)
    _make_folder(models_dir(data_dir))
    return _place(file, backbone, source, data_dir)


def verify_model(backbone: Backbone, data_dir: Path) -> str:
    """SHA-256 of a backbone's file; ``ModelUnavailable`` if it is missing or not the pinned file."""
    path = model_path(backbone, data_dir)
    source = backbone.source
    if not isinstance(source, HubFile):
        digest, _ = model_sha256(path)
        check_pin(backbone, digest, data_dir)
        return digest
    return _verify(path, source, pinned_sha256(backbone, data_dir))


def _pullable(backbone: Backbone) -> HubFile:
    if not isinstance(backbone.source, HubFile):
        raise ModelUnavailable(f"{backbone.name} is on this machine already; there is nothing to pull")
    return backbone.source


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, f"{folder}", DataDirNotWritable, folder) from error
    return folder


def _place(file: Path, backbone: Backbone, source: HubFile, data_dir: Path) -> Path:
    """Verify ``file`` and put a copy in its place in one step. If no hash is pinned, this one is recorded first."""
    target = pulled_path(backbone.name, source, data_dir)
    digest = _verify(file, source, pinned_sha256(backbone, data_dir))
    try:
        require_space(target.parent, file.stat().st_size, f"the model {backbone.name}")
        with replacing(target) as copy, file.open("rb") as fetched:
            shutil.copyfileobj(fetched, copy)
            if source.sha256 is None:
                replace_file(record_path(target), digest + "\n")
    except OSError as error:
        raise write_error(error, f"{target}", DataDirNotWritable, target.parent) from error
    return target


def _verify(path: Path, source: HubFile, pinned: str | None) -> str:
    """Check the file's size and hash against the pinned ones, and return its SHA-256."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelUnavailable(f"{path}: {reason_of(error)}") from error
    if size > _MOST:
        raise ModelUnavailable(f"{path} has {size} bytes, which no model has")
    if source.size is not None and size != source.size:
        raise ModelUnavailable(f"{path} has {size} bytes, pinned for {source.path} are {source.size}")
    digest = file_sha256(path)
    if pinned is not None and digest != pinned:
        raise ModelUnavailable(f"{path} has SHA-256 {digest}, pinned for {source.path} is {pinned}")
    return digest
