"""The memory bank: names, stores, search, coreset."""
