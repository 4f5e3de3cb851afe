"""Coverage-guided fuzzing of one reader: ``python -m tests.attack.fuzz_target TARGET SCRATCH [libFuzzer's options]``.

Anything but a clean result or one of the project's errors is a crash.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["patchbank", "PIL", "tifffile"]):
    from patchbank.bank.archive import Archive
    from patchbank.bank.edge.store import EdgeStore
    from patchbank.errors import PatchbankError
    from patchbank.images import ImageLimits, decode_image

_LIMITS: Final = ImageLimits(2.0, 4.0)
_ENTRIES: Final = ("manifest.json", "references.json", "cls.npy", "ids.npy", "vectors.npy")


def decode(scratch: Path) -> Callable[[bytes], None]:
    """Pictures, small ones: the bound on megapixels is low so that a run takes milliseconds."""

    def run(data: bytes) -> None:
        try:
            decode_image(data, _LIMITS)
        except PatchbankError:
            return

    return run


def archive(scratch: Path) -> Callable[[bytes], None]:
    """Snapshots: the file itself, or by its first byte one entry of a whole one, with its checksum made right."""
    with zipfile.ZipFile(scratch / "whole.snapshot") as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    path = scratch / "fuzzed.snapshot"

    def run(data: bytes) -> None:
        place = data[0] if data else 255
        if place < len(_ENTRIES):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as made:
                for name, content in entries.items():
                    made.writestr(name, data[1:] if name == _ENTRIES[place] else content)
            path.write_bytes(out.getvalue())
        else:
            path.write_bytes(data)
        try:
            with Archive(path) as opened:
                opened.references()
                opened.cls_vectors()
                for _ in opened.patches():
                    pass
        except PatchbankError:
            return

    return run


def manifest(scratch: Path) -> Callable[[bytes], None]:
    """A version's manifest."""
    data_dir = scratch / "data"
    name, version = next(iter(json.loads((data_dir / "aliases.json").read_text())["classes"].items()))
    file = data_dir / "collections" / f"patchbank__{name}__{version}" / "manifest.json"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        _look(data_dir, name)

    return run


def pointer(scratch: Path) -> Callable[[bytes], None]:
    """The file that says which versions serve."""
    data_dir = scratch / "data"
    classes = list(json.loads((data_dir / "aliases.json").read_text())["classes"])

    def run(data: bytes) -> None:
        (data_dir / "aliases.json").write_bytes(data)
        for name in classes:
            _look(data_dir, name)

    return run


def _look(data_dir: Path, name: str) -> None:
    store = EdgeStore(data_dir)
    try:
        store.active()
        store.versions(name)
        _ = store.bank(name).manifest
    except PatchbankError:
        return
    finally:
        store.close()


TARGETS: Final = {"decode": decode, "archive": archive, "manifest": manifest, "pointer": pointer}


def _new_ones(run: Callable[[bytes], None], known: Path) -> Callable[[bytes], None]:
    """The same, but an error that was raised at the same place before, in this process or an earlier one, passes: else
    the first one would hide all others."""
    places = set(known.read_text().splitlines()) if known.exists() else set()

    def watched(data: bytes) -> None:
        try:
            run(data)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "patchbank" in frame.filename] or frames
            place = f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno}"
            if place in places:
                return
            with known.open("a") as file:
                file.write(f"{place}\n")
            raise

    return watched


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    target, scratch = sys.argv[1], Path(sys.argv[2])
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    atheris.Setup([sys.argv[0], *sys.argv[3:]], _new_ones(TARGETS[target](scratch), scratch / "known"))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
