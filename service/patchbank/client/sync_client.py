"""The client that waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import httpx

from patchbank.client import banks, detecting, history, teaching
from patchbank.client.call import Call, Pause, Script
from patchbank.client.errors import Unreachable, refusal
from patchbank.client.following import Event, EventReader, follow, forever
from patchbank.client.methods import Listing, Method
from patchbank.client.steps import Patience, steps_of

T = TypeVar("T")

ADDRESS = "http://127.0.0.1:8000"
TIMEOUT_S = 120.0


class Client:
    """Asks a Patchbank service. Thread-safe; use it as a context manager or call ``close``.

    >>> with Client("http://127.0.0.1:8000", key="pb_...") as client:
    ...     client.detect(Path("part.png")).decision

    Methods raise ``ClientError`` kinds. Each answers with the model of the API's contract.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        key: str = "",
        timeout_s: float = TIMEOUT_S,
        patience: Patience | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        """``key`` is an API key; ``timeout_s`` the seconds of silence after which a request has failed; ``patience``
        says how often a busy service is asked again. ``http`` sends instead of a client made here, for proxies and
        certificates of your own, and stays yours to close."""
        self._own = http is None
        self._http = http or httpx.Client()
        self._address = address.rstrip("/")
        self._key = key
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0))
        self._patience = patience or Patience()

    detect = Method(detecting.detect)
    detect_batch = Method(detecting.detect_batch)
    nearest = Method(detecting.nearest)
    health = Method(detecting.health)
    ready = Method(detecting.ready)
    classes = Method(banks.classes)
    show_class = Method(banks.show_class)
    sensitivity = Method(banks.sensitivity)
    references = Listing(banks.references)
    reference_thumbnail = Method(banks.reference_thumbnail)
    add_references = Method(banks.add_references)
    withdraw_reference = Method(banks.withdraw_reference)
    defects = Method(banks.defects)
    add_defect = Method(banks.add_defect)
    remove_defect = Method(banks.remove_defect)
    versions = Method(banks.versions)
    diff = Method(banks.diff)
    activate = Method(banks.activate)
    roll_back = Method(banks.roll_back)
    prune = Method(banks.prune)
    teach = Method(teaching.teach)
    calibrate = Method(teaching.calibrate)
    rebuild = Method(teaching.rebuild)
    evaluate = Method(teaching.evaluate)
    compact = Method(teaching.compact)
    audit = Method(teaching.audit)
    jobs = Method(teaching.jobs)
    show_job = Method(teaching.show_job)
    cancel_job = Method(teaching.cancel_job)
    set_aside_picture = Method(teaching.set_aside_picture)
    wait = Method(teaching.wait)
    detections = Listing(history.detections)
    counts = Method(history.counts)
    overview = Method(history.overview)
    show_detection = Method(history.show_detection)
    detection_thumbnail = Method(history.detection_thumbnail)
    detection_picture = Method(history.detection_picture)
    nearest_of_detection = Method(history.nearest_of_detection)
    say = Method(history.say)
    accept_dry_run = Method(history.accept_dry_run)
    accept = Method(history.accept)
    defect_dry_run = Method(history.defect_dry_run)
    learn_defect = Method(history.learn_defect)
    actions = Method(history.actions)
    show_action = Method(history.show_action)
    undo = Method(history.undo)

    def follow(self, *, class_name: str | None = None, last_event_id: str | None = None) -> Iterator[Event]:
        """Each detection once it is recorded, after those that were missed since ``last_event_id``, until the service
        ends the stream. Raises ``Unreachable`` where it breaks."""
        asked = follow(class_name, last_event_id).arguments_at(self._address, self._key)
        try:
            with self._http.stream(**asked, timeout=forever(self._timeout)) as answer:
                if not answer.is_success:
                    answer.read()
                error = refusal(answer)
                if error is not None:
                    raise error
                reader = EventReader()
                for line in answer.iter_lines():
                    event = reader.read(line)
                    if event is not None:
                        yield event
        except httpx.TransportError as error:
            raise Unreachable(f"{self._address} does not answer: {error}") from error

    def send(self, asked: Call[T] | Script[T]) -> T:
        """The answer to a request, or to several."""
        steps = steps_of(asked, self._patience)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._take(step))
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _take(self, step: Call[object] | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(**step.arguments_at(self._address, self._key), timeout=self._timeout)
        except httpx.TransportError as error:
            raise Unreachable(f"{self._address} does not answer: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
