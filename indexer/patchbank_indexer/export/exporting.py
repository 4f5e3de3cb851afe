"""The export as a whole: a checkpoint in, a checked ONNX file in its place, or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from patchbank.disk import write_error
from patchbank.embedding.model_hash import file_sha256
from patchbank.errors import DataDirNotWritable, ExportFailed, PatchbankError
from patchbank_indexer.export.checkpoints import Checkpoint, open_checkpoint
from patchbank_indexer.export.request import FP32_ERROR, MIN_COSINE, ExportedModel, ExportRequest, Parity


def export_model(request: ExportRequest, target: Path, tell: Callable[[str], None]) -> ExportedModel:
    """Make the graph asked for at ``target``; ``tell`` is called with one line per step.

    The graph is compared with PyTorch before it takes its place. Where they differ by more than the tolerance, and on
    any other error, ``target`` stays as it was. Raises ``ModelUnavailable`` (no checkpoint), ``ExportFailed`` (cannot
    be exported, or differs from PyTorch), ``InvalidParameters`` (size or blocks the network cannot have),
    ``DataDirNotWritable``.
    """
    _require_extra()
    checkpoint = open_checkpoint(request.checkpoint, request.revision)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
            return _export(request, checkpoint, target, Path(folder), tell)
    except OSError as error:
        raise write_error(error, f"{target}", DataDirNotWritable, target.parent) from error


def _export(
    request: ExportRequest, checkpoint: Checkpoint, target: Path, folder: Path, tell: Callable[[str], None]
) -> ExportedModel:
    # PyTorch is loaded here and not with this module: the command line stays quick, the service never has it.
    from patchbank_indexer.export.graph import OPSET, fused_operators, quiet, write_graph  # noqa: PLC0415
    from patchbank_indexer.export.network import load_features  # noqa: PLC0415
    from patchbank_indexer.export.parity import compare, compute_expected  # noqa: PLC0415

    tell(f"loading {request.checkpoint}")
    with quiet():
        features = load_features(checkpoint, request)
        tell("computing PyTorch's tokens")
        expected = compute_expected(features, checkpoint, request)
        tell(f"writing the {request.precision} graph")
        try:
            graph = write_graph(features, request, folder)
        except (PatchbankError, OSError):
            raise
        except Exception as error:  # exporter, fusion and quantisation raise what they like
            raise ExportFailed(f"{request.checkpoint} cannot be exported: {type(error).__name__}: {error}") from error
    tell("comparing it with PyTorch")
    parity = compare(expected, graph)
    for size in parity.sizes:
        tell(str(size))
    if not parity.within(request.precision):
        raise ExportFailed(_too_far(request, parity))
    made = ExportedModel(
        path=target,
        sha256=file_sha256(graph),
        stride=features.stride,
        registers=features.registers,
        patch_dim=features.patch_dim,
        cls_dim=features.width,
        mean=checkpoint.mean,
        std=checkpoint.std,
        licence=checkpoint.licence,
        opset=OPSET,
        max_batch=request.max_batch,
        fused=fused_operators(graph),
        parity=parity,
    )
    os.replace(graph, target)  # noqa: PTH105 - atomic, and over an existing file on every system
    return made


def _require_extra() -> None:
    lacking = [name for name in ("torch", "transformers", "onnx") if find_spec(name) is None]
    if lacking:
        raise ExportFailed(f"an export needs {', '.join(lacking)}: pip install 'patchbank[export]'")


def _too_far(request: ExportRequest, parity: Parity) -> str:
    sizes = "; ".join(str(size) for size in parity.sizes)
    if request.precision == "fp32":
        return f"the graph differs from PyTorch by more than {FP32_ERROR:.0e}, nothing was written ({sizes})"
    return (
        f"the {request.precision} graph's patch cosine to PyTorch is below {MIN_COSINE}, nothing was written: "
        f"export this checkpoint with more precision ({sizes})"
    )
