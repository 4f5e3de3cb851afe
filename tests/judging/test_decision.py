"""Three answers: pass, review and reject, by two thresholds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.judging.decision import Reason
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.scoring.threshold import Targets, calibrate, p_value, review_threshold
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.pictures import png

scores = st.floats(0.0, 2.0, width=32)
OTHERS: tuple[Reason, ...] = ("unlike_class", "known_defect", "bad_frame")


def verdict(score: float, threshold: float, review: float, others: tuple[Reason, ...]) -> Verdict:
    reasons: tuple[Reason, ...] = (*(("score",) if score > threshold else ()), *others)
    empty = np.zeros((1, 1), dtype=np.float32)
    return Verdict(
        "part", reasons, score, threshold, threshold, review, 0.1, 0.5, 0.0, empty, empty > 1, empty, (), "v"
    )


@hypothesis.given(
    st.lists(scores, min_size=1, max_size=60),
    scores,
    st.floats(0.001, 0.5),
    st.floats(0.001, 0.9),
    st.lists(st.sampled_from(OTHERS), unique=True, max_size=3),
)
def test_whatever_is_anomalous_is_rejected_and_of_the_rest_what_is_rare_is_for_review(
    normal: list[float], score: float, reject: float, review: float, others: list[Reason]
) -> None:
    calibration = calibrate(normal, "held-out", Targets(reject, review))
    limit = review_threshold(calibration)
    told = verdict(score, calibration.threshold, limit, tuple(others))
    assert (told.decision == "reject") == told.is_anomalous == bool(told.reasons)
    assert told.decision == "reject" or (told.decision == "review") == (score > limit)
    if told.decision == "review":
        assert p_value(score, calibration) <= max(calibration.review_rate, 1 / (len(normal) + 1)) + 1e-9


def test_two_rates_make_three_answers(
    settings: Settings, embedder: Embedder, products: dict[str, Product], tmp_path: Path
) -> None:
    product = products["textile"]
    with closing(EdgeStore(settings.data_dir)) as store:
        inspector = Inspector(settings, embedder, store)
        options = TeachOptions(target_far=0.1, review_far=0.4)
        manifest = Teacher(settings, embedder, store).teach("textile", product.references, options=options).manifest
        calibration = manifest.calibration
        assert (calibration.target_far, calibration.review_far) == (0.1, 0.4)
        limit = review_threshold(calibration)
        assert limit < calibration.threshold
        said = set()
        for file in (product.references[0], *product.good, *product.defective):
            answer = inspector.inspect(file, "textile")
            told = answer.verdict
            assert told is not None
            assert (told.threshold, told.review_threshold) == (calibration.threshold, limit)
            assert told.decision == ("reject" if told.reasons else "review" if told.score > limit else "pass")
            assert answer.as_dict()["decision"] == told.decision
            said.add(told.decision)
        assert {"pass", "reject"} <= said
        file = product.good[0]
        score = inspector.inspect(file, "textile").verdict.score  # type: ignore[union-attr]
        for asked, review, decision in (
            (score + 0.1, min(limit, score + 0.1), "review" if score > limit else "pass"),
            (score * 0.99, min(limit, score * 0.99), "reject"),
            (limit / 2, limit / 2, "reject" if score > limit / 2 else "pass"),
        ):
            told = inspector.inspect(file, "textile", threshold=asked).verdict
            assert told is not None
            assert told.review_threshold == pytest.approx(review)
            assert told.decision == decision
        grey = tmp_path / "grey.png"
        grey.write_bytes(png(0))
        named = inspector.inspect(grey, "textile").verdict
        assert named is not None
        assert (named.decision, bool({"unlike_class", "bad_frame"} & {*named.reasons})) == ("reject", True)
        unknown = inspector.inspect(grey).as_dict()
        assert (unknown["decision"], unknown["review_threshold"]) == (None, None)
