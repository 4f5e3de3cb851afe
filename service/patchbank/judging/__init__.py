"""Judging: an image and the banks become a verdict."""
