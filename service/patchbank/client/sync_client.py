"""The client that waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import httpx

from patchbank.client import banks, detecting, following, history, shadow, teaching
from patchbank.client.call import Call, Pause, Script, Stream
from patchbank.client.errors import Unreachable, refusal
from patchbank.client.following import patient
from patchbank.client.methods import Listing, Method, Streaming
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
        self.address = address.rstrip("/")
        self._key = key
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0))
        self._patience = patience or Patience()

    detect = Method(detecting.detect)
    detect_batch = Method(detecting.detect_batch)
    nearest = Method(detecting.nearest)
    health = Method(detecting.health)
    ready = Method(detecting.ready)
    links = Method(detecting.links)
    classes = Method(banks.classes)
    show_class = Method(banks.show_class)
    sensitivity = Method(banks.sensitivity)
    references = Listing(banks.references)
    reference_thumbnail = Method(banks.reference_thumbnail)
    add_references = Method(banks.add_references)
    withdraw_reference = Method(banks.withdraw_reference)
    defects = Method(banks.defects)
    defect_thumbnail = Method(banks.defect_thumbnail)
    add_defect = Method(banks.add_defect)
    remove_defect = Method(banks.remove_defect)
    versions = Method(banks.versions)
    diff = Method(banks.diff)
    activate = Method(banks.activate)
    roll_back = Method(banks.roll_back)
    prune = Method(banks.prune)
    show_shadow = Method(shadow.show_shadow)
    start_shadow = Method(shadow.start_shadow)
    stop_shadow = Method(shadow.stop_shadow)
    disagreements = Listing(shadow.disagreements)
    drift = Method(banks.drift)
    show_drift = Method(banks.show_drift)
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
    follow_job = Streaming(following.follow_job)
    wait = Method(teaching.wait)
    detections = Listing(history.detections)
    counts = Method(history.counts)
    overview = Method(history.overview)
    show_detection = Method(history.show_detection)
    detection_thumbnail = Method(history.detection_thumbnail)
    detection_map = Method(history.detection_map)
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
    export = Streaming(history.export)
    follow = Streaming(following.follow)

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

    def stream(self, asked: Stream[T]) -> Iterator[T]:
        """What an answer tells, while it comes. Raises ``Unreachable`` where it breaks."""
        arguments = asked.call.arguments_at(self.address, self._key)
        try:
            with self._http.stream(**arguments, timeout=patient(self._timeout)) as answer:
                if not answer.is_success:
                    answer.read()
                error = refusal(answer)
                if error is not None:
                    raise error
                read = asked.reader()
                for piece in answer.iter_bytes():
                    yield from read(piece)
        except httpx.TransportError as error:
            raise Unreachable(f"{self.address} does not answer: {error or type(error).__name__}") from error

    def _take(self, step: Call[object] | Pause) -> httpx.Response | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(**step.arguments_at(self.address, self._key), timeout=self._timeout)
        except httpx.TransportError as error:
            raise Unreachable(f"{self.address} does not answer: {error or type(error).__name__}") from error

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
