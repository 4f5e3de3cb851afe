"""Search processes: how they start, which error is raised where they cannot, and how they are replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from textwrap import indent

import pytest

from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.edge.worker import Call, search_kind
from patchbank.bank.names import BankRef
from patchbank.errors import Closed, SearchWorkersNotStarted, StoreUnavailable, UnknownVersion
from patchbank.processes import worker as worker_module
from patchbank.processes.worker import START_PATIENCE, Worker

NO_BANK = Call(BankRef("cookie", "1"), "image_patches", ("0" * 24,))
OPEN = """
with Inspector.open(load_settings(data_dir=Path("data")), search_workers=2) as inspector:
    print(inspector.store.nearest_references("fingerprint", np.zeros(4, np.float32), 3))
"""
OPEN_AND_CATCH = """
try:
    Inspector.open(load_settings(data_dir=Path("data")), search_workers=2)
except PatchbankError as error:
    print(error.code, multiprocessing.active_children())
    sys.exit(5)
"""
IMPORTS = """
import multiprocessing, sys
from pathlib import Path
import numpy as np
from patchbank import Inspector
from patchbank.errors import PatchbankError
from patchbank.settings import load_settings
"""
GUARD = 'if __name__ == "__main__":'


def guarded(code: str) -> str:
    return IMPORTS + GUARD + indent(code, "    ")


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    """Write a script into the working directory; it ends well before a hanging process would be given up."""
    Path("script.py").write_text(code, encoding="utf-8")
    return run_python("script.py")


def run_python(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=START_PATIENCE - 10, check=False
    )


def test_a_script_with_a_guard_searches_in_workers() -> None:
    done = run_script(guarded(OPEN))
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_a_script_without_a_guard_is_told_once_how_to_mend_it() -> None:
    done = run_script(IMPORTS + OPEN)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("patchbank.errors.SearchWorkersNotStarted: a search process ended (exit status 1)")
    assert GUARD in last
    assert "search_workers=0" in last


def test_a_script_without_a_guard_is_left_without_processes() -> None:
    done = run_script(IMPORTS + OPEN_AND_CATCH)
    assert (done.returncode, done.stdout, done.stderr) == (5, "search_workers_not_started []\n", "")


def test_a_script_that_mends_it_as_told_works() -> None:
    assert run_script((IMPORTS + OPEN).replace("search_workers=2", "search_workers=0")).stdout == "[]\n"


@pytest.mark.parametrize("code", [IMPORTS + OPEN_AND_CATCH, guarded(OPEN_AND_CATCH)], ids=["unguarded", "guarded"])
def test_a_script_from_standard_input_is_told_what_it_cannot_do(code: str) -> None:
    done = run_python("-", given=code)
    assert (done.returncode, done.stdout, done.stderr) == (5, "search_workers_not_started []\n", "")


def test_a_script_from_standard_input_is_told_how_to_mend_it() -> None:
    last = run_python("-", given=IMPORTS + OPEN).stderr.splitlines()[-1]
    assert "<stdin> is not a file: save the script as a file, or use search_workers=0" in last


def test_code_from_the_command_line_searches_in_workers() -> None:
    assert run_python("-c", IMPORTS + OPEN).stdout == "[]\n"


def test_a_process_of_the_callers_own_that_is_still_starting_is_told_too() -> None:
    start = """
if __name__ == "__mp_main__":
    Inspector.open(load_settings(data_dir=Path("data")), search_workers=2)
process = multiprocessing.get_context("spawn").Process(target=print)
process.start()
process.join()
sys.exit(process.exitcode)
"""
    done = run_script(IMPORTS + start)
    assert done.returncode == 1
    assert "SearchWorkersNotStarted: this process is still being started." in done.stderr
    assert GUARD in done.stderr


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory. At the end, no process that the test started may be left."""
    before = children()
    yield tmp_path / "data"
    assert children() == before


def children() -> set[BaseProcess]:
    return set(multiprocessing.active_children())


def answers(worker: Worker) -> bool:
    with pytest.raises(UnknownVersion):
        worker.call(NO_BANK)
    return True


def end(pipe: Connection, *given: object) -> None:
    """Replaces ``serve``: the process ends."""
    sys.exit(7)


def be_killed(pipe: Connection, *given: object) -> None:
    """Replaces ``serve``: the process is killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def never_be_ready(pipe: Connection, *given: object) -> None:
    """Replaces ``serve``: the process hangs."""
    pipe.recv()


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        (end, r"ended \(exit status 7\) before it was ready"),
        pytest.param(
            be_killed,
            r"was killed \(signal 9\) before it was ready",
            marks=pytest.mark.skipif(os.name == "nt", reason="no signals"),
        ),
    ],
)
def test_a_pool_whose_processes_do_not_start_says_why(
    serve: object, message: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "serve", serve)
    with pytest.raises(SearchWorkersNotStarted, match=message):
        PooledStore(data_dir, 2)


def test_a_pool_whose_processes_hang_gives_up(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "serve", never_be_ready)
    monkeypatch.setattr(worker_module, "START_PATIENCE", 0.2)
    with pytest.raises(SearchWorkersNotStarted, match="was not ready after 0 s"):
        PooledStore(data_dir, 2)


def test_a_process_that_the_system_refuses_is_an_error_with_a_code(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: BaseProcess) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(BaseProcess, "start", refuse)
    with pytest.raises(SearchWorkersNotStarted, match="no more processes"):
        PooledStore(data_dir, 2)


def test_a_replacement_that_does_not_start_is_told_and_tried_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    worker = Worker(search_kind(data_dir))
    try:
        assert answers(worker)
        with monkeypatch.context() as patch:
            patch.setattr(worker_module, "serve", end)
            for process in children() - before:
                process.kill()
            with pytest.raises(StoreUnavailable, match="ended unexpectedly"):
                worker.call(NO_BANK)
            with pytest.raises(SearchWorkersNotStarted, match="exit status 7"):
                worker.call(NO_BANK)
        with pytest.raises(SearchWorkersNotStarted, match="exit status 7"):
            worker.call(NO_BANK)
        assert answers(worker)
    finally:
        worker.close()


def test_a_replacement_that_the_system_refuses_is_tried_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    worker = Worker(search_kind(data_dir))

    def refuse(process: BaseProcess) -> None:
        raise BlockingIOError("no more processes")

    try:
        assert answers(worker)
        with monkeypatch.context() as patch:
            patch.setattr(BaseProcess, "start", refuse)
            for process in children() - before:
                process.kill()
            for _ in range(2):
                with pytest.raises(SearchWorkersNotStarted, match="no more processes"):
                    worker.call(NO_BANK)
        assert answers(worker)
    finally:
        worker.close()


def test_an_interrupted_call_leaves_its_answer_to_nobody(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(pipe: Connection) -> object:
        raise KeyboardInterrupt

    worker = Worker(search_kind(data_dir))
    try:
        worker.wait_until_ready()
        with monkeypatch.context() as patch:
            patch.setattr(worker_module, "receive", interrupt)
            with pytest.raises(KeyboardInterrupt):
                worker.call(NO_BANK)
        with pytest.raises(UnknownVersion):
            worker.call(NO_BANK)
    finally:
        worker.close()


def test_a_closed_worker_starts_no_process(data_dir: Path) -> None:
    worker = Worker(search_kind(data_dir))
    worker.close()
    worker.close()
    with pytest.raises(Closed):
        worker.call(NO_BANK)
