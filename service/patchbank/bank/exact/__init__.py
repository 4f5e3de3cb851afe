"""Exact search over vectors that this process can read, faster than comparing all; both stores use it."""
