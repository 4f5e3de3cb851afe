"""Snapshots as strangers make them: whatever is in the file, it is restored as it was written, or refused."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patchbank.bank.archive import Archive, write_archive
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.sealed_document import CHECKSUM, is_sealed, sealed
from patchbank.errors import DamagedSnapshot, NewerLayout
from tests.helpers.banks import teach

RANDOM_DAMAGES = 2_000
STRUCTURED_DAMAGES = 600
SEED = 16

Entries = dict[str, bytes]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small one, whole."""
    folder = tmp_path_factory.mktemp("snapshot")
    with closing(EdgeStore(folder / "data")) as store:
        teach(store, "part", images=3)
        write_archive(folder / "file", store.bank("part"))
    return (folder / "file").read_bytes()


def content(path: Path) -> tuple[Any, ...]:
    """All that a restore would read."""
    with Archive(path) as archive:
        ids, cls = archive.cls_vectors()
        blocks = [(block.ids.tobytes(), block.vectors.tobytes()) for block in archive.patches()]
        return archive.manifest, archive.references(), ids, cls.tobytes(), blocks


def entries_of(raw: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(entries: Entries, *, sums: bool = False, method: int = zipfile.ZIP_STORED) -> bytes:
    """A snapshot of these entries, whose own sums fit; without ``sums`` it names none, as those of older releases."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, value in entries.items():
            if sums or name != "sha256.json":
                archive.writestr(name, value)
    return out.getvalue()


def test_a_whole_one_is_read_with_and_without_sums(snapshot: bytes, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(snapshot)
    (tmp_path / "old").write_bytes(packed(entries_of(snapshot)))
    assert content(tmp_path / "new") == content(tmp_path / "old")


def test_a_damaged_file_is_refused_or_reads_as_it_was_written(snapshot: bytes, tmp_path: Path) -> None:
    path, chance = tmp_path / "file", random.Random(SEED)  # noqa: S311
    path.write_bytes(snapshot)
    whole, refused = content(path), 0
    for number in range(RANDOM_DAMAGES):
        raw = bytearray(snapshot)
        kind, place = number % 5, chance.randrange(len(raw))
        if kind == 0:
            raw[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            raw[place : place + 64] = chance.randbytes(64)
        elif kind == 2:
            del raw[place:]
        elif kind == 3:
            del raw[place : place + chance.randrange(1, 200)]
        else:
            other = chance.randrange(len(raw))
            raw[place:place] = raw[other : other + chance.randrange(1, 300)]
        path.write_bytes(raw)
        try:
            assert content(path) == whole, f"seed {SEED}, damage {number} changed what is read"
        except (DamagedSnapshot, NewerLayout):
            refused += 1
    assert refused > 0.8 * RANDOM_DAMAGES


STRANGE_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    float("nan"),
    float("inf"),
    2**70,
    "",
    "x" * 5_000,
    "../../etc",
    "\x00\x1b[31m",
    [],
    {},
    [[[[]]]],
    {"a": {"b": []}},
)


def strange(document: Any, chance: random.Random) -> Any:
    """The document with one value, anywhere in it, taken away or replaced."""
    if isinstance(document, dict) and document:
        name = chance.choice(sorted(document))
        if chance.random() < 0.15:
            return {key: value for key, value in document.items() if key != name}
        return {**document, name: strange(document[name], chance)}
    if isinstance(document, list) and document:
        place = chance.randrange(len(document))
        changed = list(document)
        if chance.random() < 0.3:
            changed[place : place + 1] = [] if chance.random() < 0.5 else [document[place]] * 2
        else:
            changed[place] = strange(document[place], chance)
        return changed
    return chance.choice(STRANGE_VALUES)


@pytest.mark.parametrize("name", ["manifest.json", "references.json"])
def test_strange_values_never_end_in_another_error(snapshot: bytes, tmp_path: Path, name: str) -> None:
    path, chance, entries = tmp_path / "file", random.Random(SEED), entries_of(snapshot)  # noqa: S311
    document = without_checksum(json.loads(entries[name]))
    refused = 0
    for _ in range(STRUCTURED_DAMAGES):
        path.write_bytes(packed({**entries, name: json.dumps(strange(document, chance)).encode()}))
        try:
            content(path)
        except (DamagedSnapshot, NewerLayout):
            refused += 1
    assert refused > STRUCTURED_DAMAGES // 3


def without_checksum(document: Any) -> Any:
    """The document as an older release wrote it: whatever is wrong must show by itself."""
    if not isinstance(document, dict):
        return document
    return {name: value for name, value in document.items() if name != CHECKSUM} | {"layout": 4}


def array(values: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(values), version=(2, 0), allow_pickle=True)
    return out.getvalue()


def read_array(raw: bytes) -> Any:
    return np.lib.format.read_array(io.BytesIO(raw))


def headed(raw: bytes, **facts: Any) -> bytes:
    """The array with other facts in its header."""
    out, values = io.BytesIO(), read_array(raw)
    known = {"descr": np.lib.format.dtype_to_descr(values.dtype), "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_2_0(out, {**known, **facts})
    return out.getvalue() + bytes(values.tobytes())


def longer(raw: bytes, factor: float) -> bytes:
    return array(np.asarray(read_array(raw) * factor, dtype="<f4"))


def with_value(raw: bytes, value: float) -> bytes:
    values = read_array(raw).copy()
    values[-1, 0] = value
    return array(values)


def moved(raw: bytes, place: int, value: int) -> bytes:
    values = read_array(raw).copy()
    values[-1, place] = value
    return array(values)


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Entries], bytes]:
    return lambda entries: packed({**entries, name: change(entries[name])})


def in_document(name: str, change: Callable[[Any], Any]) -> Callable[[Entries], bytes]:
    def rewritten(raw: bytes) -> bytes:
        document = json.loads(raw)
        made = change(document) or document
        if is_sealed(made):  # a stranger can write one that fits
            with suppress(ValueError):  # numbers that are not finite have none
                made = sealed({name: value for name, value in made.items() if name != CHECKSUM})
        return json.dumps(made).encode()

    return changed(name, rewritten)


def in_first(**facts: Any) -> Callable[[Entries], bytes]:
    return in_document("references.json", lambda listed: [{**listed[0], **facts}, *listed[1:]])


def overlapping(entries: Entries) -> bytes:
    raw = bytearray(packed(entries))
    central = raw.index(b"PK\x01\x02")
    second = raw.index(b"PK\x01\x02", central + 4)
    raw[second + 42 : second + 46] = raw[central + 42 : central + 46]
    return bytes(raw)


def twice(entries: Entries) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name, value in [*entries.items(), ("cls.npy", entries["cls.npy"])]:
            archive.writestr(name, value)
    return out.getvalue()


def many(entries: Entries) -> bytes:
    return packed({**entries, **{f"more-{number}": b"" for number in range(5_000)}})


def many_told_to_be_few(entries: Entries) -> bytes:
    raw = bytearray(many(entries))
    raw[-14:-10] = struct.pack("<HH", 5, 5)
    return bytes(raw)


HEADERS: dict[str, dict[str, Any]] = {
    "objects": {"descr": "|O"},
    "huge": {"shape": (2**40, 8)},
    "negative": {"shape": (-1, 8)},
    "by column": {"fortran_order": True},
    "other dims": {"shape": (9, 16)},
    "double": {"descr": "<f8"},
    "a record": {"descr": [("a", "<f4"), ("b", "<f4")]},
}

STRANGE: dict[str, Callable[[Entries], bytes]] = {
    **{f"{header} header": changed("vectors.npy", partial(headed, **facts)) for header, facts in HEADERS.items()},
    "half as long vectors": changed("vectors.npy", lambda raw: longer(raw, 0.5)),
    "slightly longer vectors": changed("vectors.npy", lambda raw: longer(raw, 1.01)),
    "half as long embeddings of pictures": changed("cls.npy", lambda raw: longer(raw, 0.5)),
    "no number": changed("vectors.npy", lambda raw: with_value(raw, float("nan"))),
    "infinity": changed("cls.npy", lambda raw: with_value(raw, float("inf"))),
    "a cell outside of the grid": changed("ids.npy", lambda raw: moved(raw, 15, 200)),
    "a row outside of the grid": changed("ids.npy", lambda raw: moved(raw, 13, 200)),
    "a ninth turn": changed("ids.npy", lambda raw: moved(raw, 12, 0x80)),
    "another picture's patch": changed("ids.npy", lambda raw: moved(raw, 0, 0xEE)),
    "deep nesting": changed("manifest.json", lambda _: b"[" * 200_000),
    "deep nesting of references": changed("references.json", lambda _: b'{"a":' * 200_000),
    "a number of a million digits": changed("references.json", lambda _: b"1" * 1_000_000),
    "no text": changed("manifest.json", lambda _: b"\xff\xfe\x00"),
    "no list": in_document("references.json", lambda listed: {"a": listed}),
    "no table": in_document("references.json", lambda listed: [1, *listed[1:]]),
    "a thumbnail that is no picture": in_first(thumbnail="aGVsbG8="),
    "a thumbnail that is no base64": in_first(thumbnail="\u00e4"),
    "a huge thumbnail": in_first(thumbnail="A" * 4_000_000),
    "an unknown field": in_first(weight=1),
    "a side of a truth value": in_first(width=True),
    "a wide picture": in_first(width=2**40),
    "a long name": in_first(name="x" * 1_000_000),
    "an id in capitals": in_first(image_id="A" * 24),
    "a missing reference": in_document("references.json", lambda listed: listed[1:]),
    "a threshold below 0": in_document("manifest.json", lambda told: told["calibration"].update(threshold=-1.0)),
    "a class name that leaves its folder": in_document("manifest.json", lambda told: told.update(class_name="../up")),
    "packed": lambda entries: packed(entries, method=zipfile.ZIP_DEFLATED),
    "a bomb": lambda entries: packed({**entries, "references.json": b" " * 50_000_000}, method=zipfile.ZIP_DEFLATED),
    "entries that lie on each other": overlapping,
    "an entry twice": twice,
    "many entries": many,
    "many entries that are told to be few": many_told_to_be_few,
    "an entry that no snapshot has": lambda entries: packed({**entries, "run.py": b"1"}),
    "a missing entry": lambda entries: packed({name: raw for name, raw in entries.items() if name != "ids.npy"}),
    "sums of something else": lambda entries: packed({**entries, "sha256.json": b"{}"}, sums=True),
    "something after its end": lambda entries: packed(entries) + b"#!/bin/sh",
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_no_snapshot_has_is_refused(snapshot: bytes, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(STRANGE[kind](entries_of(snapshot)))
    with pytest.raises(DamagedSnapshot):
        content(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes have no names elsewhere")
def test_pipes_devices_and_folders_are_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero"), tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DamagedSnapshot, match="cannot be read"):
            Archive(place)


def test_parts_that_a_snapshot_names_count_for_nothing(snapshot: bytes, tmp_path: Path) -> None:
    part = {"version": "20200101-000000-000000", "references": 1, "patches": 1}
    path = tmp_path / "file"
    path.write_bytes(in_document("manifest.json", lambda told: told.update(parts=[part]))(entries_of(snapshot)))
    with Archive(path) as archive:
        assert archive.manifest.parts == ()
