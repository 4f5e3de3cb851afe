"""What a search process does: it opens banks of the data directory, and searches them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.errors import SearchWorkersNotStarted, StoreUnavailable
from patchbank.processes.serving import Answer
from patchbank.processes.worker import Kind


@dataclass(frozen=True)
class Call:
    """A method of one bank, and its arguments."""

    bank: BankRef
    method: str
    arguments: tuple[Any, ...]


def search_kind(data_dir: Path, threads: int = 1) -> Kind:
    """Workers that search the banks of a data directory. A matrix product runs in ``threads`` threads."""
    return Kind(
        name="search",
        called="a search process",
        opened=searching,
        arguments=(data_dir, threads),
        remedy="search_workers=0",
        not_started=SearchWorkersNotStarted,
        ended=StoreUnavailable,
        crashed=StoreUnavailable,
        otherwise=StoreUnavailable,
    )


@contextmanager
def searching(data_dir: Path, threads: int) -> Iterator[Answer]:
    """What answers in a search process: it has an ``EdgeStore`` of its own."""
    threadpool_limits(threads)
    with closing(EdgeStore(data_dir)) as store:

        def answer(call: Call) -> object:
            bank = store.open_bank(call.bank, serves=False)
            if call.method == "image_patches":
                return bank.image_patches(*call.arguments)
            queries, k, exact, exclude_images = call.arguments
            return bank.nearest(queries, k, exact=exact, exclude_images=exclude_images)

        yield answer
