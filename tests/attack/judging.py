"""Judges probe pictures as it is told on standard input, line by line in JSON: ``python -m tests.attack.judging``.

The pictures are embedded once, whatever banks are opened, so that hundreds of damaged banks can be asked.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.errors import PatchbankError
from patchbank.images import DecodedImage, decode_image
from patchbank.judging.inspector import Inspector
from patchbank.scales import BASE, Scales
from patchbank.settings import load_settings
from patchbank_indexer.cli import app
from tests.attack import low_graphs
from tests.attack.judged import Judged


class RememberingEmbedder(Embedder):
    """Embeds each picture once for each scale."""

    def _kept(self) -> dict[tuple[str, Scales], Embedding]:
        kept: dict[tuple[str, Scales], Embedding] = self.__dict__.setdefault("_attack_kept", {})
        return kept

    def embed(self, image: DecodedImage, scales: Scales = BASE) -> Embedding:
        kept, key = self._kept(), (image.image_id, scales)
        if key not in kept:
            kept[key] = super().embed(image, scales)
        return kept[key]

    def refine(self, image: DecodedImage, base: Embedding, scales: Scales) -> Embedding:
        kept, key = self._kept(), (f"refined {image.image_id}", scales)
        if key not in kept:
            kept[key] = super().refine(image, base, scales)
        return kept[key]


class Judging:
    """The probes, and the banks that are open."""

    def __init__(self) -> None:
        self.embedder = RememberingEmbedder.open(load_settings())
        self.probes: dict[str, DecodedImage] = {}
        self.classes: list[str] = []
        self.store: PatchStore | None = None
        self.inspector: Inspector | None = None

    def answer(self, question: Any) -> Any:
        """The answer to one question."""
        do = question["do"]
        if do == "probes":
            self.probes = {name: decode_image(Path(path).read_bytes()) for name, path in question["probes"].items()}
            self.classes = sorted({name.partition("/")[0] for name in self.probes})
            return {}
        if do == "open":
            return {"error": self._open(Path(question["data"]), question["workers"])}
        if do == "judge":
            return {"answers": {name: asdict(judged) for name, judged in self._judge(question["questions"]).items()}}
        if do == "look":
            return {"untyped": self._look()}
        if do == "run":
            result = CliRunner().invoke(app, question["words"])
            ended = result.exception is None or isinstance(result.exception, SystemExit)
            told = (
                result.stdout
                if ended and result.stdout
                else f"{result.output}{'' if ended else repr(result.exception)}"
            )
            return {"status": result.exit_code, "output": told}
        self._close()
        return {}

    def _open(self, data: Path, workers: int) -> str | None:
        self._close()
        settings = load_settings(data_dir=data)
        try:
            self.store = open_store(settings, workers)
        except PatchbankError as error:
            return f"{error.code}: {error.message}"
        self.inspector = Inspector(settings, self.embedder, self.store)
        return None

    def _close(self) -> None:
        store, self.store, self.inspector = self.store, None, None
        if store is not None:
            store.close()

    def _judge(self, questions: list[str] | None) -> dict[str, Judged]:
        answers = {}
        for question in self._questions() if questions is None else questions:
            probe, _, class_name = question.rpartition("@")
            answers[question] = self._said(self.probes[probe], None if class_name == "-" else class_name)
        return answers

    def _questions(self) -> list[str]:
        asked = []
        for probe in self.probes:
            own = probe.partition("/")[0]
            named = [own] if own != "stranger" else [name for name in self.classes if name != own]
            asked += [f"{probe}@{class_name}" for class_name in ["-", *named]]
        return asked

    def _said(self, image: DecodedImage, class_name: str | None) -> Judged:
        assert self.inspector is not None
        try:
            return Judged.of(self.inspector.inspect(image, class_name).as_dict())
        except PatchbankError as error:
            return Judged(error=error.code, message=error.message)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            untyped = Judged(error=type(error).__name__, message=str(error)[:300])
            return replace(untyped, untyped=True)

    def _look(self) -> list[str]:
        untyped: list[str] = []
        assert self.store is not None
        for class_name in self.classes:
            try:
                bank = self.store.bank(class_name)
                for reference in bank.references():
                    bank.reference(reference.image_id)
            except PatchbankError:
                continue
            except BaseException as error:
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
                untyped.append(f"{class_name}: {type(error).__name__}: {str(error)[:200]}")
        return untyped


def main() -> None:
    """Answer until standard input ends."""
    low_graphs.build()
    told, sys.stdout = sys.stdout, sys.stderr
    judging = Judging()
    for line in sys.stdin:
        told.write(json.dumps(judging.answer(json.loads(line))) + "\n")
        told.flush()
    judging.answer({"do": "close"})


if __name__ == "__main__":
    main()
