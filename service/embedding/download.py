"""Pulling a pinned model file from the hub: verified before it takes its place, or nothing changes."""

from __future__ import annotations

import shutil
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

from service.embedding.backbones import Backbone, HubFile
from service.embedding.model_files import pulled_path
from service.embedding.session import file_sha256
from service.errors import DataDirNotWritable, ModelUnavailable


def pull_model(backbone: Backbone, data_dir: Path, *, patience: float = 10.0, endpoint: str | None = None) -> Path:
    """Bring a backbone's file from the hub (or the mirror in ``HF_ENDPOINT``) and return its path.

    ``patience`` is how many seconds the hub may take to answer at all. A file that is already here is not asked
    for again. Raises ``ModelUnavailable`` where the hub can't be reached or the file is not the pinned one.
    """
    source = backbone.source
    if not isinstance(source, HubFile):
        raise ModelUnavailable(f"{backbone.name} is built in; there is nothing to pull")
    target = pulled_path(backbone.name, source, data_dir)
    if target.is_file():
        return target
    partial = target.parent / f".pull-{backbone.name}"
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirNotWritable(f"{target.parent}: {error.strerror or error}") from error
    try:
        # hf_hub_download asks a silent hub six times, a minute each; asking once before keeps to the patience.
        url = hf_hub_url(source.repository, source.path, revision=source.revision, endpoint=endpoint)
        get_hf_file_metadata(url, timeout=patience)
        fetched = Path(
            hf_hub_download(
                source.repository, source.path, revision=source.revision,
                local_dir=partial, etag_timeout=patience, endpoint=endpoint,
            )
        )  # fmt: skip
    except Exception as error:  # the hub's client raises its HTTP library's errors too, and that library has changed
        raise ModelUnavailable(
            f"{backbone.name} cannot be pulled from the hub ({type(error).__name__}); "
            f"bring {source.path} of {source.repository} by hand to {target}"
        ) from error
    _verify(fetched, source)
    fetched.replace(target)
    shutil.rmtree(partial, ignore_errors=True)
    return target


def _verify(path: Path, source: HubFile) -> None:
    if source.size is not None and path.stat().st_size != source.size:
        found = path.stat().st_size
        path.unlink()
        raise ModelUnavailable(f"{source.path} has {found} bytes, pinned are {source.size}")
    digest = file_sha256(path)
    if source.sha256 is not None and digest != source.sha256:
        path.unlink()
        raise ModelUnavailable(f"{source.path} has SHA-256 {digest}, pinned is {source.sha256}")
