"""The client for programs that do other things meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TypeVar

import anyio
import httpx

from patchbank.client import banks, detecting, following, history, shadow, teaching
from patchbank.client.call import Call, Pause, Script, Stream
from patchbank.client.errors import Unreachable, refusal
from patchbank.client.following import patient
from patchbank.client.methods import AsyncListing, AsyncMethod, AsyncStreaming
from patchbank.client.steps import Patience, steps_of
from patchbank.client.sync_client import ADDRESS, TIMEOUT_S

T = TypeVar("T")


class AsyncClient:
    """Asks a Patchbank service, on asyncio or trio; use it as a context manager or call ``close``.

    >>> async with AsyncClient("http://127.0.0.1:8000", key="pb_...") as client:
    ...     (await client.detect(Path("part.png"))).decision

    Its methods are those of ``Client``.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        key: str = "",
        timeout_s: float = TIMEOUT_S,
        patience: Patience | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """``key`` is an API key; ``timeout_s`` the seconds of silence after which a request has failed; ``patience``
        says how often a busy service is asked again. ``http`` sends instead of a client made here, for proxies and
        certificates of your own, and stays yours to close."""
        self._own = http is None
        self._http = http or httpx.AsyncClient()
        self.address = address.rstrip("/")
        self._key = key
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0))
        self._patience = patience or Patience()

    detect = AsyncMethod(detecting.detect)
    detect_batch = AsyncMethod(detecting.detect_batch)
    nearest = AsyncMethod(detecting.nearest)
    health = AsyncMethod(detecting.health)
    ready = AsyncMethod(detecting.ready)
    links = AsyncMethod(detecting.links)
    classes = AsyncMethod(banks.classes)
    show_class = AsyncMethod(banks.show_class)
    sensitivity = AsyncMethod(banks.sensitivity)
    references = AsyncListing(banks.references)
    reference_thumbnail = AsyncMethod(banks.reference_thumbnail)
    add_references = AsyncMethod(banks.add_references)
    withdraw_reference = AsyncMethod(banks.withdraw_reference)
    defects = AsyncMethod(banks.defects)
    defect_thumbnail = AsyncMethod(banks.defect_thumbnail)
    add_defect = AsyncMethod(banks.add_defect)
    remove_defect = AsyncMethod(banks.remove_defect)
    versions = AsyncMethod(banks.versions)
    diff = AsyncMethod(banks.diff)
    activate = AsyncMethod(banks.activate)
    roll_back = AsyncMethod(banks.roll_back)
    prune = AsyncMethod(banks.prune)
    show_shadow = AsyncMethod(shadow.show_shadow)
    start_shadow = AsyncMethod(shadow.start_shadow)
    stop_shadow = AsyncMethod(shadow.stop_shadow)
    disagreements = AsyncListing(shadow.disagreements)
    drift = AsyncMethod(banks.drift)
    show_drift = AsyncMethod(banks.show_drift)
    teach = AsyncMethod(teaching.teach)
    calibrate = AsyncMethod(teaching.calibrate)
    rebuild = AsyncMethod(teaching.rebuild)
    evaluate = AsyncMethod(teaching.evaluate)
    compact = AsyncMethod(teaching.compact)
    audit = AsyncMethod(teaching.audit)
    jobs = AsyncMethod(teaching.jobs)
    show_job = AsyncMethod(teaching.show_job)
    cancel_job = AsyncMethod(teaching.cancel_job)
    set_aside_picture = AsyncMethod(teaching.set_aside_picture)
    follow_job = AsyncStreaming(following.follow_job)
    wait = AsyncMethod(teaching.wait)
    detections = AsyncListing(history.detections)
    counts = AsyncMethod(history.counts)
    overview = AsyncMethod(history.overview)
    show_detection = AsyncMethod(history.show_detection)
    detection_thumbnail = AsyncMethod(history.detection_thumbnail)
    detection_map = AsyncMethod(history.detection_map)
    detection_picture = AsyncMethod(history.detection_picture)
    nearest_of_detection = AsyncMethod(history.nearest_of_detection)
    say = AsyncMethod(history.say)
    accept_dry_run = AsyncMethod(history.accept_dry_run)
    accept = AsyncMethod(history.accept)
    defect_dry_run = AsyncMethod(history.defect_dry_run)
    learn_defect = AsyncMethod(history.learn_defect)
    actions = AsyncMethod(history.actions)
    show_action = AsyncMethod(history.show_action)
    undo = AsyncMethod(history.undo)
    export = AsyncStreaming(history.export)
    follow = AsyncStreaming(following.follow)

    async def send(self, asked: Call[T] | Script[T]) -> T:
        """The answer to a request, or to several."""
        steps = steps_of(asked, self._patience)
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._take(step))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def stream(self, asked: Stream[T]) -> AsyncIterator[T]:
        """What an answer tells, while it comes. Raises ``Unreachable`` where it breaks."""
        arguments = asked.call.arguments_at(self.address, self._key)
        try:
            async with self._http.stream(**arguments, timeout=patient(self._timeout)) as answer:
                if not answer.is_success:
                    await answer.aread()
                error = refusal(answer)
                if error is not None:
                    raise error
                read = asked.reader()
                async for piece in answer.aiter_bytes():
                    for told in read(piece):
                        yield told
        except httpx.TransportError as error:
            raise Unreachable(f"{self.address} does not answer: {error or type(error).__name__}") from error

    async def _take(self, step: Call[object] | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return None
        try:
            return await self._http.request(**step.arguments_at(self.address, self._key), timeout=self._timeout)
        except httpx.TransportError as error:
            raise Unreachable(f"{self.address} does not answer: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
