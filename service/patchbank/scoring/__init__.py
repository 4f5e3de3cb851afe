"""From patch distances to verdicts: scores, maps, thresholds, class retrieval."""
