"""Other runtimes of the built-in backbone under its fingerprint: they stand for a changed library."""

from __future__ import annotations

from pathlib import Path

from benchmarks.altered_weights import Change, off_by, write_altered
from patchbank.embedding.backbones import BACKBONES, Backbone, packaged_model
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.model_hash import file_sha256
from patchbank.embedding.providers import DEFAULT, Runtime
from patchbank.embedding.session import OnnxSession

BACKBONE = BACKBONES["efficientnet-lite2"]
MODEL = packaged_model("efficientnet-lite2.onnx")


def running(runtime: Runtime = DEFAULT, backbone: Backbone = BACKBONE) -> Embedder:
    """The built-in backbone, run so."""
    return Embedder(backbone, OnnxSession(MODEL, runtime))


def with_weights(change: Change, path: Path, backbone: Backbone = BACKBONE) -> Embedder:
    """The built-in backbone with other weights and the same fingerprint, as a changed kernel would have it."""
    session = OnnxSession(write_altered(MODEL, change, path))
    session.sha256 = file_sha256(MODEL)
    return Embedder(backbone, session)


by_one_percent = off_by(0.01)
"""Every weight up to 1 % off."""
