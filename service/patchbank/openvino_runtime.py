"""OpenVINO, a package of its own beside ONNX Runtime: it has no wheel for some machines, and may fail to load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

from patchbank.errors import ProviderUnavailable
from patchbank.text import one_line

_REPORTS_USE: Final = ("openvino_telemetry", "openvino.tools.ovc")
"""Of these the import of ``openvino`` makes use where they are there: it writes to the home directory and tells Google
Analytics of each import, in a process of its own. Only the conversion of other frameworks' models needs them."""


def openvino() -> Any:
    """The module ``openvino``, imported so that it reports to nobody. Raises ``ProviderUnavailable`` where it is not
    installed or cannot be loaded."""
    try:
        with _hidden(_REPORTS_USE):
            import openvino as module  # noqa: PLC0415
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "openvino"
        why = "is not installed" if missing else f"cannot be loaded ({one_line(error)})"
        raise ProviderUnavailable(f"OpenVINO {why}: pip install openvino") from error
    if not hasattr(module, "Core"):  # what is left of a removed package is a module without anything in it
        raise ProviderUnavailable("OpenVINO is only partly installed: pip install --force-reinstall openvino")
    return module


def is_openvino_installed() -> bool:
    """Whether there is an OpenVINO to load; nothing is loaded for the answer."""
    return find_spec("openvino") is not None


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let modules that are not loaded look as if they were not installed."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None stands for a module that is not there
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
