"""Which backbone ``PATCHBANK_BACKBONE=auto`` stands for: decided once for a store, and never against its banks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from patchbank.bank.names import now
from patchbank.bank.store import PatchStore
from patchbank.bank.view import View
from patchbank.embedding.first_choice import BUILT_IN, first_choice
from patchbank.embedding.model_files import find_backbone, model_path
from patchbank.errors import DamagedBank, DataDirNotWritable, InvalidParameters, ModelUnavailable, PatchbankError
from patchbank.judging.choice_file import By, Choice, ChoiceFile
from patchbank.settings import AUTO, Settings

_LOG = logging.getLogger("patchbank")

Tell = Callable[[str], None]


NAMED: Final = "named by PATCHBANK_BACKBONE or --backbone"


def choose(settings: Settings, store: PatchStore, tell: Tell = _LOG.warning) -> Choice:
    """The backbone for this store: the one that the settings name, that of the banks, the one decided before, or the
    first choice, which is decided now and written down.

    Two processes that decide at once agree. ``tell`` is called with what is new: a decision, or banks that disagree.
    Raises ``StoreUnavailable`` where the store cannot be read and nothing was decided before.
    """
    choice = known_choice(settings, store, tell)
    if choice is not None:
        _remember(settings, choice)
        return choice
    try:
        with _file(settings).alone():
            return known_choice(settings, store, tell) or _decide(settings, tell)
    except DataDirNotWritable as error:
        choice = Choice(BUILT_IN, "built-in", f"nothing can be pulled or written down ({error.message})")
        tell(f"PATCHBANK_BACKBONE=auto is {choice.line}")
        return choice


def known_choice(settings: Settings, store: PatchStore, tell: Tell = _LOG.warning) -> Choice | None:
    """As ``choose``, but nothing is decided or written: None where nothing was decided yet."""
    if settings.backbone != AUTO:
        return Choice(settings.backbone, "setting", NAMED)
    decided = _file(settings).read()
    try:
        classes = taught_backbones(store)
    except PatchbankError:
        if decided is None:
            raise
        return decided
    if not classes:
        return decided
    names = _readable(classes)
    if len(names) == 1:
        if decided is not None and decided.backbone == names[0]:
            return decided
        return Choice(names[0], "banks", f"the banks in {store.place} were taught with it")
    why = f"were taught with {' and '.join(names)}" if names else "cannot be read"
    taken = decided or Choice(BUILT_IN, "built-in", f"the banks in {store.place} {why}")
    told = "; ".join(f"{name or 'damaged'}: {', '.join(classes[name])}" for name in classes)
    tell(f"the banks in {store.place} {why}, so PATCHBANK_BACKBONE=auto is {taken.backbone} ({told})")
    return taken


def decide_anew(settings: Settings, store: PatchStore, name: str | None, tell: Tell) -> Choice:
    """Decide again, for ``name`` or else as if nothing had been decided. Raises ``InvalidParameters`` where banks are
    there that were taught with another backbone alone."""
    with _file(settings).alone():
        classes = taught_backbones(store)
        names = _readable(classes)
        if classes and (name is None or (len(names) == 1 and names != [name])):
            raise InvalidParameters(
                f"{sum(map(len, classes.values()))} classes are taught in {store.place}, with "
                f"{' and '.join(names) or 'what cannot be read'}: "
                + ("name the backbone to take" if name is None and len(names) != 1 else "their backbone stays")
            )
        if name is None:
            return _decide(settings, tell)
        backbone = find_backbone(name, settings.data_dir)
        model_path(backbone, settings.data_dir)
        return _write(settings, Choice(name, "person", "chosen by hand", now()))


def settled(settings: Settings, store: PatchStore, tell: Tell = _LOG.warning) -> Settings:
    """The settings with the backbone of ``choose``."""
    return with_backbone(settings, choose(settings, store, tell))


def with_backbone(settings: Settings, choice: Choice) -> Settings:
    """The settings with a choice's backbone. Raises ``ModelUnavailable`` where ``auto`` is one that is not here: no
    other one takes its place."""
    if settings.backbone != AUTO:
        return settings
    try:
        model_path(find_backbone(choice.backbone, settings.data_dir), settings.data_dir)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"{error.message}. PATCHBANK_BACKBONE is auto, which is {choice.line}") from error
    return settings.model_copy(update={"backbone": choice.backbone})


def taught_backbones(store: PatchStore) -> Mapping[str | None, list[str]]:
    """Names of the classes by the backbone that their serving banks were taught with; None for damaged ones."""
    view, classes = View(store), dict[str | None, list[str]]()
    for name in sorted(view.active):
        try:
            backbone = view.bank(name).manifest.backbone.name
        except DamagedBank:
            backbone = None
        classes.setdefault(backbone, []).append(name)
    return classes


def _readable(classes: Mapping[str | None, list[str]]) -> list[str]:
    return sorted(name for name in classes if name is not None)


def _decide(settings: Settings, tell: Tell) -> Choice:
    first = first_choice(settings, tell)
    by: By = "built-in" if first.backbone == BUILT_IN else "hub"
    choice = _write(settings, Choice(first.backbone, by, first.why, now()))
    tell(f"PATCHBANK_BACKBONE=auto is {choice.line}")
    return choice


def _remember(settings: Settings, choice: Choice) -> None:
    """Write down what the banks say, so that it is known while their store is away."""
    if settings.backbone == AUTO and not choice.decided_at:
        try:
            _write(settings, Choice(choice.backbone, choice.by, choice.why, now()))
        except DataDirNotWritable:
            _LOG.info("the backbone %s is not written down: %s cannot be written", choice.backbone, settings.data_dir)


def is_decided(settings: Settings) -> bool:
    """Whether the backbone is named or was decided before, so that ``choose`` takes no time."""
    return settings.backbone != AUTO or _file(settings).read() is not None


def _write(settings: Settings, choice: Choice) -> Choice:
    _file(settings).write(choice)
    return choice


def _file(settings: Settings) -> ChoiceFile:
    return ChoiceFile(settings.data_dir, settings.qdrant_url)
