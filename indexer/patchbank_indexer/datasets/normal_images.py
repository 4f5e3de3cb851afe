"""The pictures of good parts that paths mean, where their folders or manifests say which those are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank.errors import NoReferences
from patchbank_indexer.datasets.files import FoundFiles, find_images
from patchbank_indexer.datasets.left_out import LeftOut, LeftOutFile
from patchbank_indexer.datasets.lookout import ANOMALY, NORMAL, is_manifest, read_manifest


def find_normal_images(paths: Sequence[Path]) -> FoundFiles:
    """The image files that ``paths`` mean, as :func:`find_images`, but only those of good parts.

    Of a manifest of Amazon Lookout for Vision, the pictures labelled normal are taken; of a folder in its layout those
    in ``train/normal``, or else those that are in no folder ``anomaly`` beside a folder ``normal``. The others are left
    out. Raises ``NoReferences`` as ``find_images`` does, and where a manifest names no normal picture that is here.
    """
    images: dict[Path, None] = {}
    left_out: list[LeftOutFile] = []
    for path in paths:
        taken, rest = _of_manifest(path) if is_manifest(path) else _of_path(path)
        images.update(dict.fromkeys(taken))
        left_out += rest
    return FoundFiles(list(images), LeftOut(left_out))


def _of_manifest(path: Path) -> tuple[Sequence[Path], list[LeftOutFile]]:
    manifest = read_manifest(path)
    kind = f"labelled as anomalous in {path.name}"
    rest = [*manifest.left_out, *(LeftOutFile(image.file, kind) for image in manifest.images if image.defective)]
    if not manifest.normal:
        said = "; ".join(LeftOut(rest).lines())
        raise NoReferences(f"the manifest {path} names no normal picture that is here{': ' * bool(said)}{said}")
    return manifest.normal, rest


def _of_path(path: Path) -> tuple[Sequence[Path], list[LeftOutFile]]:
    training = path / "train" / NORMAL
    taught = training.parent if training.is_dir() else path
    asked = find_images([path])
    images: list[Path] = []
    rest = list(asked.left_out.files)
    for file in asked.images:
        if not file.is_relative_to(taught):
            rest.append(LeftOutFile(file, f"outside of {training}, which holds the pictures to teach from"))
        elif any(_is_anomalous(folder) for folder in file.parents if path in folder.parents):
            rest.append(LeftOutFile(file, f"in a folder {ANOMALY} beside a folder {NORMAL}"))
        else:
            images.append(file)
    if not images:
        raise NoReferences(f"the folder {path} holds no pictures of good parts: {'; '.join(LeftOut(rest).lines())}")
    return images, rest


def _is_anomalous(folder: Path) -> bool:
    return folder.name == ANOMALY and (folder.parent / NORMAL).is_dir()
