"""All changes of a store in any order, by two stores on the same banks, against a plain model of what must be visible.

``PATCHBANK_TEST_EXAMPLES=N`` runs N sequences on each kind of store, with seeds from ``PATCHBANK_TEST_SEED`` on, and
prints how many operations were run (``pytest -s``).
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from patchbank.bank.names import BankRef
from patchbank.bank.transfer import put_class
from patchbank.bank.view import View
from patchbank.errors import ClassBusy, DamagedBank, EmptyBank, UnknownClass, UnknownReference, UnknownVersion
from tests.helpers.banks import FINGERPRINT, SPEC, image_id
from tests.helpers.contents import (
    IMAGES,
    VARIANTS,
    Content,
    Model,
    add_images,
    changed,
    check_bank,
    check_votes,
    finish,
)
from tests.helpers.places import fast_folder
from tests.helpers.stores import REAL_SERVER, StoreKind, store_kind

EXAMPLES: Final = int(os.environ.get("PATCHBANK_TEST_EXAMPLES", "0"))
FIRST_SEED: Final = int(os.environ.get("PATCHBANK_TEST_SEED", "1"))
USUAL: Final = {"edge": (6, 25), "wire": (3, 20), "server": (3, 20), "pooled": (0, 0)}
"""Sequences and operations in each where nothing is asked for; a pool of processes is slow to start."""

classes = st.sampled_from(["part", "part-2"])
either = st.integers(0, 1)
images = st.dictionaries(st.sampled_from(IMAGES), st.sampled_from(VARIANTS), max_size=3)
some_images = st.dictionaries(st.sampled_from(IMAGES), st.sampled_from(VARIANTS), min_size=1, max_size=4)
numbers = st.sets(st.sampled_from(IMAGES), max_size=3)
fingerprints = st.sampled_from([FINGERPRINT, "f" * 16])
places = st.integers(0, 20)
serving = st.sampled_from([True, True, True, False])


class LivingBank(RuleBasedStateMachine):
    """The operations. ``done`` counts them by name."""

    def __init__(self, kind_name: str, done: Counter[str]) -> None:
        super().__init__()
        self.done = done
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=fast_folder()))
            self.kind: StoreKind = stack.enter_context(store_kind(kind_name, Path(folder) / "data", index_from=32))
            self.stack = stack.pop_all()
        self.stores = [self.kind.open(), self.kind.open()]
        self.model = Model({"part": {}, "part-2": {}})
        self.gone: dict[str, list[str]] = {"part": [], "part-2": []}
        self.views: list[tuple[int, View, dict[str, str]]] = []
        self.stores_turn = 0
        self.thresholds = (number / 1_000 for number in itertools.count(100))

    def teardown(self) -> None:
        self.stack.close()

    def finished(self, ref: BankRef, content: Content, *, serve: bool = True) -> None:
        self.gone[ref.class_name] += self.model.finished(ref, content, serve=serve)

    def no_leftovers(self, class_name: str, *in_work: str) -> None:
        """Right after a change has begun, the class has no collection that no kept version names."""
        named = self.model.collections(self.stores[0], class_name)
        there = {name for name in self.kind.collections() if name.startswith(f"patchbank__{class_name}__")}
        assert {name.removesuffix(".partial") for name in there} == named | set(in_work)

    @rule(class_name=classes, by=either, add=some_images, fingerprint=fingerprints, serve=serving)
    def teach_anew(self, class_name: str, by: int, add: dict[int, int], fingerprint: str, serve: bool = True) -> None:
        content = Content(add, next(self.thresholds), fingerprint)
        written = changed(self.stores[by], class_name, None, add, (), content, serve=serve)
        self.finished(written.ref, content, serve=serve)
        self.done["teach" if serve else "teach, does not serve"] += 1

    @initialize(add=some_images)
    def begin(self, add: dict[int, int]) -> None:
        self.teach_anew("part", 0, add, FINGERPRINT)

    @rule(class_name=classes, by=either, add=some_images)
    def add(self, class_name: str, by: int, add: dict[int, int]) -> None:
        self.change(class_name, by, add, set())

    @rule(class_name=classes, by=either, withdraw=numbers)
    def withdraw(self, class_name: str, by: int, withdraw: set[int]) -> None:
        self.change(class_name, by, {}, withdraw)

    @rule(class_name=classes, by=either, add=some_images, withdraw=numbers, serve=serving)
    def add_and_withdraw(self, class_name: str, by: int, add: dict[int, int], withdraw: set[int], serve: bool) -> None:
        self.change(class_name, by, add, withdraw, serve)

    @rule(class_name=classes, by=either)
    def set_thresholds(self, class_name: str, by: int) -> None:
        self.change(class_name, by, {}, set())

    def change(self, class_name: str, by: int, add: dict[int, int], withdraw: set[int], serve: bool = True) -> None:
        before = self.model.serving(class_name)
        if before is None:
            return
        ref, content = before
        withdraw &= content.images.keys()
        after = content.changed(add, withdraw, next(self.thresholds))
        if not after.images:
            with pytest.raises(EmptyBank):
                changed(self.stores[by], class_name, ref, add, sorted(withdraw), after)
            self.done["withdraw all"] += 1
            return
        with self.stores[by].draft(class_name, SPEC, ref) as draft:
            self.no_leftovers(class_name, draft.ref.collection)
            for number in sorted(withdraw):
                draft.withdraw(image_id(number))
            for number in IMAGES:
                assert draft.has_reference(image_id(number)) == (number in content.images and number not in withdraw)
            add_images(draft, add)
            assert draft.count_patches() == after.patches
            assert sorted(draft.cls_vectors()[0]) == sorted(image_id(number) for number in after.images)
            draft.seal()
            written = finish(draft, after, serve=serve)
        self.finished(written.ref, after, serve=serve)
        kinds = [word for word, asked in (("add", add), ("withdraw", withdraw)) if asked]
        self.done[(" and ".join(kinds) or "thresholds") + ("" if serve else ", does not serve")] += 1

    @rule(class_name=classes, by=either, number=st.sampled_from(IMAGES))
    def withdraw_what_is_not_there(self, class_name: str, by: int, number: int) -> None:
        before = self.model.serving(class_name)
        if before is not None and number not in before[1].images:
            with self.stores[by].draft(class_name, SPEC, before[0]) as draft, pytest.raises(UnknownReference):
                draft.withdraw(image_id(number))
            self.done["withdraw what is not there"] += 1

    @rule(class_name=classes, by=either, place=places)
    def activate_a_kept_version(self, class_name: str, by: int, place: int) -> None:
        kept = sorted(self.model.kept[class_name])
        if kept:
            version = kept[place % len(kept)]
            self.stores[by].activate(BankRef(class_name, version))
            self.finished(BankRef(class_name, version), self.model.kept[class_name][version])
            self.done["activate"] += 1

    @rule(class_name=classes, by=either, place=places)
    def use_a_version_that_is_gone(self, class_name: str, by: int, place: int) -> None:
        gone = self.gone[class_name]
        if gone:
            ref = BankRef(class_name, gone[place % len(gone)])
            with pytest.raises(UnknownVersion):
                self.stores[by].activate(ref)
            with pytest.raises(ClassBusy):
                self.stores[by].draft(class_name, SPEC, ref)
            self.done["use a version that is gone"] += 1

    @rule(class_name=classes, by=either)
    def compact(self, class_name: str, by: int) -> None:
        before = self.model.serving(class_name)
        if before is not None:
            bank = self.stores[by].bank(class_name)
            written = put_class(bank, self.stores[by], replaces=before[0])
            assert [part.version for part in written.parts] == [written.version]
            self.finished(written.ref, before[1])
            self.done["compact"] += 1

    @rule(class_name=classes, by=either, keep=st.integers(1, 2))
    def prune(self, class_name: str, by: int, keep: int) -> None:
        if class_name not in self.model.active:
            with pytest.raises(UnknownClass):
                self.stores[by].prune(class_name, keep)
            return
        pruned = self.stores[by].prune(class_name, keep)
        assert pruned == self.model.pruned(class_name, keep)
        self.gone[class_name] += pruned
        self.no_leftovers(class_name)
        self.done["prune"] += 1

    @rule(class_name=classes, by=either)
    def remove(self, class_name: str, by: int) -> None:
        if not self.model.kept[class_name]:
            with pytest.raises(UnknownClass):
                self.stores[by].remove(class_name)
            return
        self.stores[by].remove(class_name)
        self.gone[class_name] += self.model.kept[class_name]
        self.model.removed(class_name)
        self.no_leftovers(class_name)
        self.done["remove"] += 1

    @rule(class_name=classes, by=either, add=images, withdraw=numbers, stage=st.integers(0, 3), anew=st.booleans())
    def abandon(
        self, class_name: str, by: int, add: dict[int, int], withdraw: set[int], stage: int, anew: bool
    ) -> None:
        before = None if anew else self.model.serving(class_name)
        with self.stores[by].draft(class_name, SPEC, before[0] if before else None) as draft:
            if stage > 0 and before is not None:
                for number in withdraw & before[1].images.keys():
                    draft.withdraw(image_id(number))
            if stage > 1:
                add_images(draft, add)
            if stage > 2:
                draft.seal()
        self.no_leftovers(class_name)
        self.done[f"abandon, stage {stage}"] += 1

    @rule(class_name=classes, by=either, add=some_images, others=some_images)
    def two_at_once(self, class_name: str, by: int, add: dict[int, int], others: dict[int, int]) -> None:
        """While a class is in work, another store can change the other class, not this one."""
        before, other = self.model.serving(class_name), self.stores[1 - by]
        base = before[0] if before else None
        content = before[1].changed(add, (), next(self.thresholds)) if before else Content(add, next(self.thresholds))
        with self.stores[by].draft(class_name, SPEC, base) as draft:
            with pytest.raises(ClassBusy):
                other.draft(class_name, SPEC)
            add_images(draft, add)
            if base is not None:
                with pytest.raises(ClassBusy):
                    other.activate(base)
                with pytest.raises(ClassBusy):
                    other.remove(class_name)
                with pytest.raises(ClassBusy):
                    put_class(other.bank(class_name), other, replaces=base)
            draft.seal()
            beside = "part-2" if class_name == "part" else "part"
            theirs = Content(others, next(self.thresholds))
            self.finished(changed(other, beside, None, others, (), theirs).ref, theirs)
            written = finish(draft, content)
        self.finished(written.ref, content)
        self.done["two at once"] += 1

    @rule(class_name=classes, by=either, place=places)
    def change_a_version_that_serves_no_longer(self, class_name: str, by: int, place: int) -> None:
        idle = sorted(self.model.kept[class_name].keys() - {self.model.active.get(class_name)})
        if idle:
            ref = BankRef(class_name, idle[place % len(idle)])
            with pytest.raises(ClassBusy):
                self.stores[by].draft(class_name, SPEC, ref)
            bank = self.stores[by].open_bank(ref, serves=False)
            with pytest.raises(ClassBusy):
                put_class(bank, self.stores[by], replaces=ref)
            self.done["change a version that serves no longer"] += 1

    @rule(which=either)
    def reopen(self, which: int) -> None:
        self.kind.shut(self.stores[which])
        self.stores[which] = self.kind.open()
        self.views = [entry for entry in self.views if entry[0] != which]
        self.done["reopen"] += 1

    @rule(by=either)
    def look(self, by: int) -> None:
        """Make a view, which answers for its versions from now on."""
        self.views = [*self.views[-1:], (by, View(self.stores[by]), dict(self.model.active))]

    @invariant()
    def both_stores_show_the_model(self) -> None:
        """The stores take turns at showing what they keep and does not serve."""
        self.stores_turn = 1 - self.stores_turn
        for number, store in enumerate(self.stores):
            assert dict(store.active()) == self.model.active
            for class_name, kept in self.model.kept.items():
                assert store.versions(class_name) == sorted(kept)
                for version, content in kept.items():
                    if version == self.model.active.get(class_name) or number == self.stores_turn:
                        check_bank(store.open_bank(BankRef(class_name, version), serves=False), content)
            check_votes(store, self.model.contents)

    @invariant()
    def views_stay_as_they_were(self) -> None:
        for _, view, active in self.views:
            assert dict(view.active) == active
            for class_name, version in active.items():
                if version in self.model.kept[class_name]:
                    bank = view.bank(class_name)
                    assert bank.manifest.version == version
                    check_bank(bank, self.model.kept[class_name][version])

    @invariant()
    def a_version_that_is_gone_is_never_half_there(self) -> None:
        """A store that has read it may remember it, whole or not at all."""
        for class_name, gone in self.gone.items():
            for version in gone[-1:]:
                for store in self.stores:
                    with suppress(UnknownVersion, UnknownClass, DamagedBank):
                        assert store.bank(class_name, version).manifest.version == version


def sequences(kind_name: str, count: int, steps: int, number: int | None) -> Counter[str]:
    """Run ``count`` sequences of at most ``steps`` operations; with the seed ``number``, or the same ones each time."""
    done: Counter[str] = Counter()

    class Machine(LivingBank):
        def __init__(self) -> None:
            super().__init__(kind_name, done)

    run_state_machine_as_test(
        Machine if number is None else seed(number)(Machine),
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            derandomize=number is None,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=[Phase.generate] if number is not None else [Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return done


@pytest.mark.parametrize("kind_name", USUAL)
def test_any_sequence_of_changes_shows_what_the_model_shows(kind_name: str) -> None:
    if kind_name == "server" and not REAL_SERVER:
        pytest.skip("set PATCHBANK_TEST_QDRANT_URL to run this on a real Qdrant server")
    count, steps = USUAL[kind_name]
    if not EXAMPLES:
        if not count:
            pytest.skip("set PATCHBANK_TEST_EXAMPLES to run this on a pool of processes")
        assert sequences(kind_name, count, steps, None).total() > count
        return
    total: Counter[str] = Counter()
    for number, begin in enumerate(range(0, EXAMPLES, 10), FIRST_SEED):
        done = sequences(kind_name, min(10, EXAMPLES - begin), 50, number)
        total += done
        print(f"{kind_name}: seed {number}: {done.total()} operations")  # noqa: T201
    print(f"{kind_name}: {total.total()} operations, no disagreement: {dict(total.most_common())}")  # noqa: T201
