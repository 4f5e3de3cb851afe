"""Generated requests to some of a service's operations: ``python -m tests.attack.api_worker TASK``, a JSON object.

Each line of standard output is a failure in JSON; the last one tells how many requests there were.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from tests.helpers.pictures import png

_PATIENCE: Final = 30.0
_CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_STATED: Final = frozenset({"deadline_passed", "too_busy"})
"""Codes of the 503 answers that an overloaded service may give, with Retry-After."""

_ENDLESS: Final = ("GET /detections/events",)
"""Streams that go on until the client leaves, which a generated request never does."""

OPEN: Final = ("/health/live", "/health/ready", "/metrics", "/docs", "/docs-files", "/openapi.json")
"""What is answered without a key; said here once more on purpose."""


class Caller:
    """Calls operations and notes what is wrong."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._session = requests.Session()
        self._session.trust_env = False
        self._rng = random.Random(task["seed"])  # noqa: S311
        self._classes, self._picture = task["classes"], png(1)
        self.seen: set[tuple[str, ...]] = set()
        self.count = 0
        self.statuses: Counter[str] = Counter()

    def try_to_call(self, case: Case) -> None:
        """``call``; where the generator cannot send what it has made, that is said once."""
        try:
            self.call(case)
        except Exception as error:
            self.skipped(f"{case.method} {case.path}", error)

    def skipped(self, label: str, error: Exception) -> None:
        """Say that something was not sent, and why."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {str(error)[:160]} ({last.name}, line {last.lineno})"
        if (label, why) not in self.seen:
            self.seen.add((label, why))
            sys.stdout.write(json.dumps({"skipped": f"{label}: not sent: {why}"}) + "\n")

    def call(self, case: Case) -> None:
        """One request, and now and then the same one without a good key."""
        self._enrich(case)
        key = self._task["key"]
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = self._send(case, headers)
        if answer is None:
            return
        self._check(case, answer)
        if key and self._rng.random() < 0.3:
            wrong: dict[str, str] = self._rng.choice(
                [{}, {"Authorization": f"Bearer {key[:-1]}!"}, {"X-API-Key": "no"}]
            )
            refused = self._send(case, wrong)
            if refused is not None and refused.status_code != 401 and not case.path.startswith(OPEN):
                self._tell(case, "key", f"{refused.status_code} without a good key")

    def _enrich(self, case: Case) -> None:
        """Names of classes that are there, and pictures that can be read, in half of the cases."""
        if self._rng.random() < 0.5 and case.path_parameters and "class_name" in case.path_parameters:
            case.path_parameters["class_name"] = self._rng.choice(self._classes)
        if self._rng.random() < 0.5 and isinstance(case.body, dict):
            if "file" in case.body:
                case.body["file"] = self._picture
            if isinstance(case.body.get("files"), list):
                case.body["files"] = [self._picture for _ in case.body["files"][:3]]

    def _send(self, case: Case, headers: dict[str, str]) -> Any:
        self.count += 1
        try:
            answer = case.call(
                base_url=self._task["url"],
                session=self._session,
                headers=headers,
                timeout=_PATIENCE,
                allow_redirects=False,
            )
        except requests.exceptions.ConnectionError as error:
            self._tell(case, "connection", f"no answer: {str(error)[:200]}")
            self._session.close()
            return None
        except requests.exceptions.RequestException as error:
            if not isinstance(error, (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL)):
                self._tell(case, "timeout", f"{type(error).__name__} after {_PATIENCE:.0f} s")
            return None
        self.statuses[str(answer.status_code)] += 1
        return answer

    def _check(self, case: Case, answer: Any) -> None:
        if answer.status_code >= 500 and not self._stated(answer):
            self._tell(case, "5xx", f"{answer.status_code} {answer.text[:200]}")
            return
        try:
            case.validate_response(answer, checks=_CHECKS)
        except Exception as failures:  # one failure, or a group of them
            for failure in getattr(failures, "exceptions", [failures]):
                self._tell(case, type(failure).__name__, f"{answer.status_code}: {str(failure)[:300]}")

    def _stated(self, answer: Any) -> bool:
        if answer.status_code != 503 or "retry-after" not in {name.lower() for name in answer.headers}:
            return False
        try:
            return answer.json()["error"]["code"] in _STATED
        except (ValueError, KeyError, TypeError):
            return False

    def _tell(self, case: Case, kind: str, what: str) -> None:
        label = f"{case.method} {case.path}"
        if (label, kind, what[:60]) in self.seen:
            return
        self.seen.add((label, kind, what[:60]))
        told = {"operation": label, "kind": kind, "what": what, "curl": case.as_curl_command()[:600]}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Work through the task."""
    task = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    load_all_checks()
    schema = schemathesis.openapi.from_dict(requests.get(f"{task['url']}/openapi.json", timeout=30).json())
    made = [result.ok() for result in schema.get_all_operations()]
    operations = [each for each in made if each.label not in _ENDLESS]
    mine = operations[task["shard"] :: task["of"]]
    if task["operation"]:
        mine = [each for each in operations if each.label == task["operation"]]
    caller, end = Caller(task), time.monotonic() + task["seconds"]
    each = max(2, task["count"] // max(1, len(mine)))
    for operation in mine:
        strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        strategy = strategy | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @seed(zlib.crc32(f"{task['seed']} {operation.label}".encode()))
        @settings(
            max_examples=each,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def requests_to(case: Case) -> None:
            if time.monotonic() < end:
                caller.try_to_call(case)

        try:
            requests_to()
        except Exception as error:  # nothing can be generated for it
            caller.skipped(operation.label, error)
        if time.monotonic() >= end:
            break
    sys.stdout.write(json.dumps({"count": caller.count, "statuses": dict(caller.statuses)}) + "\n")


if __name__ == "__main__":
    main()
