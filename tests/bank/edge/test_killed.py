"""A process that changes an embedded store is killed at any moment: what it acknowledged is there, nothing half done.

``PATCHBANK_TEST_KILLS=N`` kills N times, with moments from the seed ``PATCHBANK_TEST_SEED`` on, and tells how many
kills hit which operation (``pytest -s``).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from patchbank.bank.edge.catalogue import Catalogue
from patchbank.bank.names import BankRef
from patchbank.bank.store import PatchStore
from tests.helpers.changing import CLASSES, OPERATIONS, Operation, choose, open_store, operation_of
from tests.helpers.contents import Model, check_bank, check_votes
from tests.helpers.places import ROOT, fast_folder

KILLS: Final = int(os.environ.get("PATCHBANK_TEST_KILLS", "8"))
SEED: Final = int(os.environ.get("PATCHBANK_TEST_SEED", "1"))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")


class Killer:
    """Runs and kills processes that change the store in ``data_dir``. ``model`` holds what they acknowledged, and
    ``took`` how long each kind of operation took, in seconds."""

    def __init__(self, data_dir: Path, seed: int) -> None:
        self.data_dir = data_dir
        self.rng = random.Random(seed)  # noqa: S311
        self.model = Model({class_name: {} for class_name in CLASSES})
        self.took: dict[str, list[float]] = defaultdict(lambda: [0.02])
        self.tally: Counter[str] = Counter()

    def run(self, kinds: Sequence[str], kill_in: int) -> Operation | None:
        """Let a process do operations and kill it in the one numbered ``kill_in``, or soon after. Returns the operation
        that it had begun and not acknowledged."""
        command = [sys.executable, "-m", "tests.helpers.changing", str(self.data_dir)]
        task = {"model": asdict(self.model), "seed": self.rng.random(), "kinds": kinds}
        begun: Operation | None = None
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            count = 0
            for line in process.stdout:
                told = json.loads(line)
                if "done" in told:
                    assert begun is not None
                    self.took[begun.kind].append(told["seconds"])
                    begun.note(self.model, told["done"])
                    begun = None
                    continue
                begun = operation_of(told["begins"])
                count += 1
                if count == kill_in:
                    time.sleep(self.rng.uniform(0.0, 1.2) * median(self.took[begun.kind]))
                    process.kill()
            assert process.wait() == -9
        return begun

    def check(self, unfinished: Operation | None) -> None:
        """What was acknowledged is there; ``unfinished`` is there as a whole or not at all. The model follows."""
        store = open_store(self.data_dir)
        try:
            if unfinished is not None:
                self._follow(store, unfinished)
            assert dict(store.active()) == self.model.active
            for class_name, kept in self.model.kept.items():
                assert store.versions(class_name) == sorted(kept)
                for version, content in kept.items():
                    check_bank(store.open_bank(BankRef(class_name, version), serves=False), content)
            check_votes(store, self.model.contents)
        finally:
            store.close()

    def _follow(self, store: PatchStore, unfinished: Operation) -> None:
        class_name, before = unfinished.class_name, dict(self.model.kept[unfinished.class_name])
        serves, listed = store.active().get(class_name), store.versions(class_name)
        new = set(listed) - before.keys()
        assert len(new) <= (0 if unfinished.kind in {"activate", "remove"} else 1)
        assert not new or serves in new, "a version that nobody was told of is not listed"
        was = self.model.active.get(class_name)
        if serves == was:
            outcome = "finished, does not serve" if new else "not at all"
            assert before.keys() <= set(listed)
        else:
            outcome = "wholly"
            assert serves in {unfinished.target, *new}
            unfinished.note(self.model, serves)
            assert self.model.kept[class_name].keys() <= set(listed) <= before.keys() | new
        self.tally[f"{unfinished.kind}: {outcome}"] += 1
        if unfinished.after is None and serves is None:
            assert not listed, "versions of a removed class"
            return
        # A version that a kill kept from retiring, or from serving, is there until the next change.
        for version in listed:
            content = before.get(version) or unfinished.after
            assert content is not None
            self.model.kept[class_name][version] = content

    def go_on(self, unfinished: Operation | None) -> None:
        """No lock is held, and the next change succeeds and leaves nothing behind."""
        for class_name in CLASSES:
            Catalogue(self.data_dir).class_lock(class_name).release()
        class_name = unfinished.class_name if unfinished else CLASSES[0]
        others = {name: kept for name, kept in self.model.kept.items() if name != class_name}
        alone = replace(self.model, active={name: v for name, v in self.model.active.items() if name == class_name})
        operation = replace(choose(self.rng, alone, "add"), class_name=class_name)
        store = open_store(self.data_dir)
        try:
            operation.note(self.model, operation.run(store, self.model))
            expected = {name for each in CLASSES for name in self.model.collections(store, each)}
            assert {path.name for path in (self.data_dir / "collections").iterdir()} == expected
            assert store.pointers().removed == frozenset()
        finally:
            store.close()
        files = {"aliases.json", "aliases.copy.json", "collections", "locks"}
        assert {path.name for path in self.data_dir.iterdir()} == files
        assert not [path for path in self.data_dir.rglob("*") if path.name.startswith(".")]
        assert others == {name: kept for name, kept in self.model.kept.items() if name != class_name}


@pytest.fixture
def killer() -> Iterator[Killer]:
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        yield Killer(Path(folder) / "data", SEED)


def test_a_killed_change_is_there_wholly_or_not_at_all(killer: Killer) -> None:
    for number in range(KILLS):
        before = [killer.rng.choice(OPERATIONS), "teach"] if number else OPERATIONS
        wanted = OPERATIONS[number % len(OPERATIONS)]
        unfinished = killer.run([*before, wanted, *killer.rng.sample(OPERATIONS, len(OPERATIONS))], len(before) + 1)
        killer.tally["kills inside"] += unfinished is not None
        killer.check(unfinished)
        killer.go_on(unfinished)
        killer.check(None)
    assert killer.tally["kills inside"] > KILLS / 4
    print(f"{KILLS} kills from seed {SEED}: {dict(sorted(killer.tally.items()))}")  # noqa: T201
    print({kind: round(median(seconds), 3) for kind, seconds in killer.took.items()})  # noqa: T201
