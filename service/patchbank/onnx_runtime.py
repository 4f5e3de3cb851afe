"""ONNX Runtime, which comes with an extra: it may be missing, or be there in part."""

from __future__ import annotations

import os
from typing import Any, Final

from patchbank.errors import ProviderUnavailable

EXTRAS = "install exactly one of patchbank[cpu], patchbank[gpu], patchbank[openvino], in a fresh environment"

_NO_REPORTS: Final = "ORT_DISABLE_TELEMETRY"
"""From 1.32 on ONNX Runtime reports to Microsoft what machine it runs on and what it loads, and keeps a number of the
device below the home directory, unless this variable is set before it is imported (its Privacy.md)."""


def onnx_runtime() -> Any:
    """The module ``onnxruntime``, imported so that it reports to nobody, unless the environment says otherwise. Raises
    ``ProviderUnavailable`` where it is not installed or cannot be loaded."""
    os.environ.setdefault(_NO_REPORTS, "1")
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise ProviderUnavailable(f"ONNX Runtime cannot be loaded ({error}): {EXTRAS}") from error
    if not hasattr(onnxruntime, "InferenceSession"):  # what is left where one of two packages was removed
        raise ProviderUnavailable(f"ONNX Runtime is only partly installed: {EXTRAS}")
    return onnxruntime
