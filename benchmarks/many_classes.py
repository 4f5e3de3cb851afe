"""A data directory with many classes, made of one that was taught: copies under other names."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.bank.edge.catalogue import Catalogue
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.folders import CLS_COPY, COLLECTIONS, MANIFEST
from patchbank.bank.manifest import read_manifest, stored_manifest
from patchbank.bank.names import BankRef
from patchbank.bank.open_store import open_store
from patchbank.bank.pointers import Pointers, Route
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.unit import unit
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher

_SPREAD: Final = 0.002
"""Of each number, so that classes differ from each other as pictures of one class do."""


def teach_one(settings: Settings, class_name: str, references: list[Path], options: TeachOptions) -> None:
    """Teach the class that the others are copies of."""
    store = open_store(settings)
    try:
        with Embedder.open(settings) as embedder:
            Teacher(settings, embedder, store).teach(class_name, references, options=options)
    finally:
        store.close()


def name_of(number: int) -> str:
    """The name of a copy."""
    return f"class_{number:04d}"


def multiply(taught: Path, target: Path, class_name: str, count: int, own_files: int) -> None:
    """Make the data directory ``target`` with ``count`` copies of a class of the directory ``taught``. The first
    ``own_files`` of them have files of their own, the others links to the same ones; CLS embeddings are each one's own,
    near to those that were taught."""
    pointers = Catalogue(taught).read()
    version = pointers.classes[class_name]
    source = taught / COLLECTIONS / BankRef(class_name, version).collection
    stored = json.loads((source / MANIFEST).read_text())
    table = ClsTable.read(source / CLS_COPY, None)
    (route,) = pointers.routes[class_name].parts
    fingerprint, names = pointers.routes[class_name].fingerprint, [name_of(number) for number in range(count)]
    manifests, routes = {}, {}
    for number, name in enumerate(names):
        near = table.vectors + np.random.default_rng(number).normal(0, _SPREAD, table.vectors.shape)
        own = ClsTable(table.image_ids, unit(near.astype(np.float32)))
        digest = own.write(target / name)
        manifest = read_manifest(stored)
        (part,) = manifest.shares
        assert part.digest is not None
        part = part.model_copy(update={"digest": part.digest.model_copy(update={"cls": digest})})
        manifests[name] = manifest.model_copy(update={"class_name": name, "parts": (part,)})
        routes[name] = Route(fingerprint, (route,), (digest,))
    Catalogue(target).switch(lambda _: Pointers(dict.fromkeys(names, version), routes))
    for number, (name, manifest) in enumerate(manifests.items()):
        folder = target / COLLECTIONS / manifest.ref.collection
        shutil.copytree(source, folder, copy_function=shutil.copy2 if number < own_files else os.link)
        shutil.rmtree(folder / CLS_COPY)
        (target / name).rename(folder / CLS_COPY)
        (folder / MANIFEST).unlink()
        (folder / MANIFEST).write_text(json.dumps(stored_manifest(manifest), indent=1))
