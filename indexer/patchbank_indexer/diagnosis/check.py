"""One thing that was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from patchbank.errors import PatchbankError

Status = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Check:
    """``told`` says what was seen, ``advice`` what to do where that is not well."""

    name: str
    status: Status
    told: str
    advice: str = ""


def looked_at(name: str, look: Callable[[], Iterable[Check]], advice: str) -> list[Check]:
    """What ``look`` sees. An error of any kind is a fault, so that the other checks go on."""
    seen: list[Check] = []
    try:
        seen.extend(look())
    except PatchbankError as error:
        seen.append(Check(name, "fault", f"{error.message} [{error.code}]", advice))
    except Exception as error:  # whatever is broken here, the report goes on
        seen.append(Check(name, "fault", f"{type(error).__name__}: {error}", advice))
    return seen
