"""Errors that are kept, such as until the end of long work."""

from __future__ import annotations


def without_frames(error: BaseException) -> None:
    """Let go of the frames that an error, and those that it came of, went through: they hold what was worked on there,
    such as the pixels of a picture that could not be read."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        left += [each.__cause__, each.__context__]
