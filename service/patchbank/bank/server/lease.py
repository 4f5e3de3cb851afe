"""Allows one indexer per class on a server: a lease that its holder keeps renewing, and that expires if the holder
dies.

A lease is a point of a small collection. It is taken and renewed by a conditional write: the server changes the point
only if its payload still says that the lease is free, or our own. So of two takers one wins. Holders compare times of
different machines, so their clocks must agree to within a few seconds.

On a cluster the writes of a lease go through one node, the highest of those that are thought to be there ("medium"
ordering; "strong" takes the highest of all, and nothing could be taught while that one is away). Each copy judges the
condition for itself, and a lease is held only where most copies say so.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from qdrant_client import QdrantClient, models

from patchbank.bank.names import PREFIX
from patchbank.bank.server.link import WRITING, ServerLink
from patchbank.bank.server.placement import ensure
from patchbank.bank.server.spread import Spread
from patchbank.errors import ClassBusy, PatchbankError, StoreUnavailable

_LOG = logging.getLogger("patchbank")

COLLECTION: Final = f"{PREFIX}__leases"
LEASE_SECONDS: Final = 60.0
_AGREE: Final = 3.0
"""Most seconds until the copies of a lease agree."""
_KNOCK: Final = models.PointStruct(id=str(uuid5(NAMESPACE_URL, "patchbank:knock")), vector={}, payload={})
"""Written through no particular node, by which the server notices that one is away and leaves it out from then on."""
_OLDEST: Final = (1, 16)
"""The first server version with conditional writes; older ones would ignore the condition."""


class Leases:
    """The leases of one server."""

    def __init__(self, link: ServerLink, spread: Spread, seconds: float = LEASE_SECONDS) -> None:
        self._link = link
        self._spread = spread
        self._seconds = seconds

    def take(self, class_name: str) -> Lease:
        """Take a class's lease. Raises ``ClassBusy`` while another process holds it."""
        self._prepare()
        return Lease(self._link, class_name, self._seconds)

    def _prepare(self) -> None:
        version = self._link.ask("asking for its version", lambda client: client.info().version)
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is not None and (int(numbers[1]), int(numbers[2])) < _OLDEST:
            raise StoreUnavailable(
                f"the Qdrant server is version {version}; writing needs {_OLDEST[0]}.{_OLDEST[1]} or newer"
            )
        if ensure(
            self._link,
            COLLECTION,
            lambda client, arguments: client.create_collection(COLLECTION, {}, **arguments),
            self._spread.everywhere,
        ):
            self._link.index_payload(COLLECTION, "owner", models.PayloadSchemaType.KEYWORD)
            self._link.index_payload(COLLECTION, "expires_at", models.PayloadSchemaType.FLOAT)


class Lease:
    """A lease that is held; a separate thread renews it. Give it up with ``release``."""

    def __init__(self, link: ServerLink, class_name: str, seconds: float) -> None:
        self._link = link
        self._class_name = class_name
        self._seconds = seconds
        self._owner = uuid4().hex
        self._point = str(uuid5(NAMESPACE_URL, f"patchbank:lease:{class_name}"))
        self._end = threading.Event()
        free = models.FieldCondition(key="expires_at", range=models.Range(lt=time.time()))
        self._write(models.Filter(should=[free, self._mine()]))
        self._keeper = threading.Thread(target=self._keep, name=f"lease-{class_name}", daemon=True)
        self._keeper.start()

    def _mine(self) -> models.FieldCondition:
        return models.FieldCondition(key="owner", match=models.MatchValue(value=self._owner))

    def _write(self, condition: models.Filter) -> None:
        """Write the lease where the condition holds (or where none was ever written), and check that it is ours now."""
        payload = {
            "class_name": self._class_name,
            "owner": self._owner,
            "expires_at": time.time() + self._seconds,
        }
        point = models.PointStruct(id=self._point, vector={}, payload=payload)
        doing = f"taking the lease of {self._class_name}"
        again = False

        def write(client: QdrantClient) -> object:
            nonlocal again
            if again:
                client.upsert(COLLECTION, [_KNOCK], wait=True)
            again = True
            ordering = models.WriteOrdering.MEDIUM
            return client.upsert(COLLECTION, [point], wait=True, ordering=ordering, update_filter=condition)

        self._link.ask(doing, write, WRITING, unwanted=self._end.is_set)
        holder = self._holder(doing)
        if holder.get("owner") != self._owner:
            left = max(0.0, float(holder.get("expires_at", 0.0)) - time.time())
            raise ClassBusy(
                f"another process is changing {self._class_name!r}; try again later "
                f"(if it has died, its lease expires in {left:.0f} seconds)"
            )

    def _holder(self, doing: str) -> dict[str, Any]:
        """What most copies say. While they differ, because a write is under way, they say nothing, so they are asked
        again for a while."""
        end = time.monotonic() + _AGREE
        while True:
            records = self._link.ask(
                doing,
                lambda client: client.retrieve(
                    COLLECTION, [self._point], consistency=models.ReadConsistencyType.QUORUM
                ),
                WRITING,
                unwanted=self._end.is_set,
            )
            holder = dict(records[0].payload or {}) if records else {}
            is_held = float(holder.get("expires_at", 0.0)) > time.time()
            if holder.get("owner") == self._owner or is_held or time.monotonic() > end:
                return holder
            time.sleep(0.05)

    def check(self) -> None:
        """Renew the lease now. Raises ``ClassBusy`` where it expired and another process took it."""
        self._write(models.Filter(must=[self._mine()]))

    def _keep(self) -> None:
        while not self._end.wait(self._seconds / 3):
            try:
                self.check()
            except PatchbankError as error:  # the holder sees it at its next check
                _LOG.warning("lease of %s not renewed: %s", self._class_name, error.message)

    def release(self) -> None:
        """Give up the lease. If the server cannot be reached, the lease expires by itself."""
        if self._end.is_set():
            return
        self._end.set()
        self._keeper.join()
        # The point stays, without an owner, so that a late renewal does not take the lease again.
        free = models.PointStruct(
            id=self._point, vector={}, payload={"class_name": self._class_name, "owner": "", "expires_at": 0.0}
        )
        mine = models.Filter(must=[self._mine()])
        try:
            self._link.ask(
                f"releasing the lease of {self._class_name}",
                lambda client: client.upsert(COLLECTION, [free], wait=True, update_filter=mine),
            )
        except PatchbankError as error:
            _LOG.warning("lease of %s not released: %s", self._class_name, error.message)
