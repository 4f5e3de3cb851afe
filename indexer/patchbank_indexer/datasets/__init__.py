"""Data sets on disk: which image files there are, and what the folders say of them."""
