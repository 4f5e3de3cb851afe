"""``indexer evaluate``: how good detection is on labelled data, in the field's figures."""

from patchbank_indexer.evaluate.command import evaluate

__all__ = ["evaluate"]
