"""The embedded bank store: the Qdrant engine in this process, and in search processes."""
