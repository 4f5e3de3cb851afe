"""``indexer audit``: what a bank's reference images say of each other."""
