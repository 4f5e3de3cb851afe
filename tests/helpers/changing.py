"""Changes the classes of an embedded store until it is killed: ``python -m tests.helpers.changing DATA_DIR``.

The first line of standard input is the model and the kinds of operation to do, in order. Standard output tells each
operation, with the outcome that is due, before it begins, and acknowledges it when it is done.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from patchbank.bank.transfer import put_class
from tests.helpers.banks import FINGERPRINT
from tests.helpers.contents import IMAGES, VARIANTS, Content, Model, changed

OPERATIONS: Final = ("teach", "add", "withdraw", "thresholds", "activate", "compact", "remove")
CLASSES: Final = ("part", "part-2")


def open_store(data_dir: Path) -> EdgeStore:
    """The store of this test: two versions are kept, and larger parts get a graph."""
    return EdgeStore(data_dir, keep_versions=2, index_from=32)


@dataclass(frozen=True)
class Operation:
    """A change of a class; ``after`` is what must serve then, None for nothing. ``target`` is the version that
    ``activate`` names."""

    kind: str
    class_name: str
    after: Content | None
    add: Mapping[int, int]
    withdraw: Sequence[int]
    target: str | None = None

    def run(self, store: PatchStore, model: Model) -> str | None:
        """Do it. Returns the version that serves then."""
        serving = model.serving(self.class_name)
        base = None if serving is None else serving[0]
        if self.kind == "remove":
            store.remove(self.class_name)
            return None
        if self.kind == "activate":
            assert self.target is not None
            store.activate(BankRef(self.class_name, self.target))
            return self.target
        if self.kind == "compact":
            return put_class(store.bank(self.class_name), store, replaces=base).version
        assert self.after is not None
        base = None if self.kind == "teach" else base
        return changed(store, self.class_name, base, self.add, self.withdraw, self.after).version

    def note(self, model: Model, version: str | None) -> None:
        """Enter it into the model."""
        if version is None:
            model.removed(self.class_name)
        else:
            assert self.after is not None
            model.finished(BankRef(self.class_name, version), self.after)


def choose(rng: random.Random, model: Model, kind: str) -> Operation:
    """An operation of that kind on any class; where there is no class yet, one is taught."""
    threshold = rng.randrange(1, 10**6) / 10**6
    some = {number: rng.choice(VARIANTS) for number in rng.sample(IMAGES, rng.randint(1, 4))}
    class_name = rng.choice(CLASSES)
    if kind == "teach" or not model.active:
        return Operation("teach", class_name, Content(some, threshold, rng.choice([FINGERPRINT, "f" * 16])), some, ())
    if class_name not in model.active:
        class_name = next(iter(model.active))
    before = model.contents[class_name]
    if kind == "remove":
        return Operation(kind, class_name, None, {}, ())
    if kind == "compact":
        return Operation(kind, class_name, before, {}, ())
    if kind == "activate":
        idle = sorted(model.kept[class_name].keys() - {model.active[class_name]})
        target = rng.choice(idle) if idle else model.active[class_name]
        return Operation(kind, class_name, model.kept[class_name][target], {}, (), target)
    withdraw: list[int] = []
    if kind == "withdraw" and len(before.images) > 1:
        withdraw = rng.sample(sorted(before.images), rng.randint(1, len(before.images) - 1))
    add = some if kind == "add" else {}
    return Operation(kind, class_name, before.changed(add, withdraw, threshold), add, withdraw)


def content_of(stored: Any) -> Content | None:
    """A content as JSON gives it back."""
    if stored is None:
        return None
    return Content({int(number): variant for number, variant in stored["images"].items()}, *list(stored.values())[1:])


def model_of(stored: Any) -> Model:
    """A model as JSON gives it back."""
    kept = {
        class_name: {version: content_of(content) for version, content in versions.items()}
        for class_name, versions in stored["kept"].items()
    }
    return Model(kept, stored["active"], stored["keep"])  # type: ignore[arg-type]


def operation_of(stored: Any) -> Operation:
    """An operation as JSON gives it back."""
    add = {int(number): variant for number, variant in stored["add"].items()}
    return Operation(**{**stored, "after": content_of(stored["after"]), "add": add})


def main() -> None:
    task = json.loads(sys.stdin.readline())
    model, rng = model_of(task["model"]), random.Random(task["seed"])  # noqa: S311
    store = open_store(Path(sys.argv[1]))
    for kind in task["kinds"]:
        operation = choose(rng, model, kind)
        print(json.dumps({"begins": asdict(operation)}), flush=True)  # noqa: T201
        begin = time.monotonic()
        version = operation.run(store, model)
        print(json.dumps({"done": version, "seconds": time.monotonic() - begin}), flush=True)  # noqa: T201
        operation.note(model, version)
    store.close()


if __name__ == "__main__":
    main()
