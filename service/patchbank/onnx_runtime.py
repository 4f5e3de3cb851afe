"""ONNX Runtime, which comes with an extra: it may be missing, or be there in part."""

from __future__ import annotations

from typing import Any

from patchbank.errors import ProviderUnavailable

EXTRAS = "install exactly one of patchbank[cpu], patchbank[gpu], patchbank[openvino], in a fresh environment"


def onnx_runtime() -> Any:
    """The module ``onnxruntime``. Raises ``ProviderUnavailable`` where it is not installed or cannot be loaded."""
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise ProviderUnavailable(f"ONNX Runtime cannot be loaded ({error}): {EXTRAS}") from error
    if not hasattr(onnxruntime, "InferenceSession"):  # what is left where one of two packages was removed
        raise ProviderUnavailable(f"ONNX Runtime is only partly installed: {EXTRAS}")
    return onnxruntime
