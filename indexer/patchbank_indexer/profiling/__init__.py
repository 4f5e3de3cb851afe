"""``indexer profile``: what a data set is made of before anything is taught."""
