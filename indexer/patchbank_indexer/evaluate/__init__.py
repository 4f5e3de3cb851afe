"""``indexer evaluate``: how good detection is on labelled data, in the field's figures."""
