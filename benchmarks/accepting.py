"""What accepting a defect as normal would hide: ``python -m benchmarks.accepting DATA [--references 60]``.

``DATA`` has the layout of MVTec AD. A class is taught from its good pictures, and all its test pictures are judged and
recorded; people say ``correct`` of every defect that was rejected. Then a dry run accepts one rejected defect of each
kind, and one good picture that was rejected or for review if there is one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.history.history import History
from patchbank.history.learning import Learner
from patchbank.history.recorder import Asked
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher


def main() -> None:
    """Print a row per dry run, and per defect that it would hide."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--references", type=int, default=60)
    parser.add_argument("--most", type=int, default=40, help="test pictures of a kind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), backbone=BUILT_IN)
        with (
            closing(open_store(settings)) as store,
            Embedder.open(settings) as embedder,
            History(settings) as history,
        ):
            good = sorted((given.data / "train" / "good").iterdir())[: given.references]
            manifest = Teacher(settings, embedder, store).teach("part", good).manifest
            print(f"{manifest.references} references, threshold {manifest.calibration.threshold:.4f}")
            inspector = Inspector(settings, embedder, store)
            first: dict[str, str] = {}
            for kind in sorted((given.data / "test").iterdir()):
                decisions = []
                for file in sorted(kind.iterdir())[: given.most]:
                    data = file.read_bytes()
                    inspection = inspector.inspect(data, "part")
                    assert inspection.verdict is not None
                    detection = history.recorder.record(inspection, data, Asked(f"{kind.name}/{file.name}"))
                    decisions.append(inspection.verdict.decision)
                    if inspection.verdict.decision == "reject":
                        history.records.say(detection, "false_alarm" if kind.name == "good" else "correct")
                        first.setdefault(kind.name, detection)
                    elif kind.name == "good" and inspection.verdict.decision == "review":
                        first.setdefault(kind.name, detection)
                told = ", ".join(f"{decisions.count(each)} {each}" for each in sorted(set(decisions)))
                print(f"{kind.name}: {told}", flush=True)
            learner = Learner(settings, embedder, store, history.database)
            print("| accepted | looked at | would be normal | of them confirmed defects | s |")
            print("|---|---|---|---|---|")
            hidden = []
            for kind_name, detection in first.items():
                begin = time.perf_counter()
                report = learner.trial(detection, recent=500)
                seconds = time.perf_counter() - begin
                flips = [row for row in report.recent.rows if row.flips]
                confirmed = [row for row in flips if row.detection.word == "correct"]
                print(
                    f"| {kind_name} ({report.detection.score:.3f}) | {len(report.recent.rows)} | {len(flips)} "
                    f"| {len(confirmed)} | {seconds:.0f} |",
                    flush=True,
                )
                hidden += [
                    f"{report.detection.file_name} would hide {row.detection.file_name}: {row.before.score:.4f} -> "
                    f"{row.after.score:.4f}"
                    for row in confirmed
                ]
            print("\n".join(hidden))


if __name__ == "__main__":
    main()
