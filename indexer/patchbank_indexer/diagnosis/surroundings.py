"""What is around the program: settings, libraries, disk and permissions."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from patchbank.onnx_runtime import EXTRAS
from patchbank.settings import Settings, unknown_variables
from patchbank_indexer.diagnosis.check import Check, Status
from patchbank_indexer.settings_origin import dotenv_variables, effective_settings

_RUNTIMES: Final = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")
_LIBRARIES: Final = ("patchbank", "numpy", "scipy", "pillow", "qdrant-edge-py", "qdrant-client", "fastapi", "uvicorn")
_LEAST_FREE: Final = 200e6
"""Bytes below which hardly anything can be taught."""
_ROOM: Final = 2
"""A new version is written beside the serving one, and its search index beside its vectors."""


def look_at_settings(settings: Settings, faults: Mapping[str, str], options: Mapping[str, object]) -> Iterator[Check]:
    """Bad values, unknown variables, and how many are set."""
    for name, why in faults.items():
        yield Check("settings", "fault", f"{name}: {why}", f"set {name} right or remove it")
    unknown = {} if ".env" in faults else unknown_variables()
    for name, nearest in unknown.items():
        advice = f"is {nearest} meant?" if nearest else "remove it; `config` lists all settings"
        yield Check("settings", "fault", f"{name} is no setting", advice)
    origins = [setting.origin for setting in effective_settings(settings, options)]
    counts = {origin: origins.count(origin) for origin in dict.fromkeys(origins) if origin != "default"}
    told = ", ".join(f"{count} from {origin}" for origin, count in counts.items()) or "all are defaults"
    if not faults and not unknown:
        yield Check("settings", "ok", told)


def look_at_libraries() -> Iterator[Check]:
    """Versions; exactly one ONNX Runtime must be installed."""
    runtimes = {name: installed for name in _RUNTIMES if (installed := _version(name)) is not None}
    others = {name: _version(name) for name in _LIBRARIES}
    found = {**others, **runtimes, "openvino": _version("openvino")}
    named = ", ".join(f"{name} {number}" for name, number in found.items() if number is not None)
    if len(runtimes) != 1:
        told = f"{', '.join(runtimes) or 'no ONNX Runtime'} installed"
        yield Check("libraries", "warning" if runtimes else "fault", told, EXTRAS)
    missing = [name for name, number in others.items() if number is None]
    if missing:
        yield Check("libraries", "fault", f"not installed: {', '.join(missing)}", "install patchbank again")
    yield Check("libraries", "ok", f"Python {platform.python_version()}, {named}")


def look_at_disk(settings: Settings) -> Iterator[Check]:
    """Free space where the data directory is, and what another version of the largest bank takes."""
    place = _nearest_folder(settings.data_dir)
    free = shutil.disk_usage(place).free
    needed = max(_LEAST_FREE, _ROOM * _largest_bank(settings.data_dir))
    told = f"{_size(free)} free in {place}, {_size(needed)} needed to teach"
    advice = "free some space, move PATCHBANK_DATA_DIR, or lower PATCHBANK_KEEP_VERSIONS"
    if free < _LEAST_FREE:
        yield Check("disk", "fault", told, advice)
    elif free < needed:
        yield Check("disk", "warning", told, advice)
    else:
        yield Check("disk", "ok", told)


def look_at_permissions(settings: Settings) -> Iterator[Check]:
    """Whether this user may read and write what the settings name, and whether others can read the secrets."""
    folder = settings.data_dir
    bad = 0
    if not folder.exists():
        parent = _nearest_folder(folder)
        if not os.access(parent, os.W_OK | os.X_OK):
            bad += 1
            yield Check("permissions", "fault", f"{folder} is not there, and {parent} is not writable", _CHOWN)
    elif not folder.is_dir():
        bad += 1
        yield Check("permissions", "fault", f"{folder} is not a folder", "set PATCHBANK_DATA_DIR to a folder")
    else:
        for path in (folder, *(folder / name for name in ("aliases.json", "collections", "locks", "models"))):
            wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
            if path.exists() and not os.access(path, wanted):
                bad += 1
                status: Status = "warning" if path.name == "models" else "fault"
                yield Check("permissions", status, f"{path} may not be read or written by this user", _CHOWN)
    ca_file = settings.qdrant_ca_file
    if ca_file is not None and not os.access(ca_file, os.R_OK):
        bad += 1
        yield Check("permissions", "fault", f"{ca_file} cannot be read", "set PATCHBANK_QDRANT_CA_FILE right")
    if _open_to_others(Path(".env")):
        bad += 1
        yield Check("permissions", "warning", ".env holds a key and every user can read it", "chmod 600 .env")
    if not bad:
        yield Check("permissions", "ok", f"{folder} {'can be written' if folder.exists() else 'can be made'}")


_CHOWN: Final = "give it to the user that runs patchbank (chown, chmod), or set PATCHBANK_DATA_DIR"


def _open_to_others(file: Path) -> bool:
    secret = any(
        value for name, value in dotenv_variables().items() if name.upper().endswith(("_API_KEY", "_PASSWORD"))
    )
    return secret and os.name == "posix" and bool(file.stat().st_mode & 0o004)


def _nearest_folder(path: Path) -> Path:
    whole = path.absolute()
    return next(folder for folder in (whole, *whole.parents) if folder.is_dir())


def _largest_bank(data_dir: Path) -> int:
    folders = (data_dir / "collections").glob("patchbank__*")
    return max((sum(file.stat().st_size for file in bank.rglob("*") if file.is_file()) for bank in folders), default=0)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
