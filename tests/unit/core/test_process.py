"""Processes that outlive a command: found again, never mistaken, ended with all that they started."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from onaiml_cli.core.clock import SystemClock, wait_until
from onaiml_cli.core.errors import LocalSystemError
from onaiml_cli.core.process import ProcessId, clean_environment, start_detached, stop, stop_marked

Start = Callable[..., tuple[ProcessId, Path]]

# Ends on SIGTERM like any program; says that it is there by a file with its pid.
WORKER = """
import os, pathlib, signal, subprocess, sys, time
place = pathlib.Path(sys.argv[1])
def ready(name, pid):
    (place / (name + ".new")).write_text(str(pid))
    (place / (name + ".new")).rename(place / name)
"""
CHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
WAIT = "time.sleep(600)\n"


def _there(path: Path) -> int:
    """The pid in a file, as soon as it is there."""
    found = wait_until(lambda: path.exists() or None, clock=SystemClock(), timeout=60)
    assert found, f"{path.name} never came"
    return int(path.read_text())


def _gone(pid: int) -> bool:
    def ended() -> bool | None:
        try:
            return True if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return True

    return wait_until(ended, clock=SystemClock(), timeout=30) is not None


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python code detached; whatever it does, nothing of it is left after the test."""
    mark = f"ONAIML_TEST_MARK_{os.getpid()}"

    def begin(code: str, **variables: str) -> tuple[ProcessId, Path]:
        words = [sys.executable, "-c", WORKER + code, str(tmp_path)]
        environ = {**os.environ, mark: str(tmp_path), **variables}
        return start_detached(words, log=tmp_path / "logs" / "log", cwd=tmp_path, env=environ), tmp_path

    yield begin
    for process in psutil.process_iter():
        try:
            if process.environ().get(mark) == str(tmp_path):
                process.kill()
        except psutil.Error:
            continue


def test_it_runs_in_a_session_of_its_own_with_its_output_in_the_log(start: Start) -> None:
    child, place = start("print('out', flush=True); print('err', file=sys.stderr, flush=True)\nready('up', 1)\n" + WAIT)
    _there(place / "up")
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    log = place / "logs" / "log"
    assert log.read_text() == "out\nerr\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert child.alive
    assert ProcessId.from_dict(child.as_dict()) == child == ProcessId.of(child.pid)
    assert psutil.Process(child.pid).cwd() == str(place)


def test_the_log_goes_on_where_it_was(start: Start) -> None:
    for _ in range(2):
        child, place = start("print('line')\n")
        assert _gone(child.pid)
    assert (place / "logs" / "log").read_text() == "line\nline\n"


def test_it_outlives_the_process_that_started_it(start: Start) -> None:
    code = (
        "from onaiml_cli.core.process import start_detached\n"
        "child = start_detached([sys.executable, '-c', 'import time; time.sleep(600)'], log=place / 'l', cwd=place)\n"
        "ready('child', child.pid)\n"
    )
    parent, place = start(code)
    pid = _there(place / "child")
    assert _gone(parent.pid)
    child = ProcessId.of(pid)
    assert child is not None
    assert child.alive
    assert stop(child)
    assert _gone(pid)


def test_stop_ends_it_politely(start: Start) -> None:
    code = "signal.signal(signal.SIGTERM, lambda *_: (ready('asked', 1), sys.exit()))\nready('up', 1)\n" + WAIT
    child, place = start(code)
    _there(place / "up")
    assert stop(child)
    assert (place / "asked").exists()
    assert not child.alive
    assert not stop(child)


def test_stop_ends_children_and_grandchildren(start: Start) -> None:
    inner = WORKER + f"child = {CHILD}\nready('grandchild', child.pid)\n" + WAIT
    code = f"child = subprocess.Popen([sys.executable, '-c', {inner!r}, str(place)])\nready('child', child.pid)\n"
    top, place = start(code + WAIT)
    pids = [_there(place / "child"), _there(place / "grandchild")]
    assert stop(top)
    assert all(_gone(pid) for pid in [top.pid, *pids])


def test_stop_ends_a_grandchild_whose_parent_has_gone(start: Start) -> None:
    """What a shell's `(program &)` leaves: no descendant any more, but still in the session."""
    inner = WORKER + f"child = {CHILD}\nready('orphan', child.pid)\n"
    code = f"subprocess.run([sys.executable, '-c', {inner!r}, str(place)])\nready('up', 1)\n"
    top, place = start(code + WAIT)
    _there(place / "up")
    orphan = _there(place / "orphan")
    assert psutil.Process(orphan).ppid() != top.pid
    assert stop(top)
    assert _gone(orphan)


def test_stop_ends_a_child_in_another_session(start: Start) -> None:
    """As Jupyter starts its kernels."""
    top, place = start(f"child = {CHILD[:-1]}, start_new_session=True)\nready('child', child.pid)\n" + WAIT)
    child = _there(place / "child")
    assert stop(top)
    assert _gone(child)


def test_stop_ends_by_force_what_ignores_the_request(start: Start) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    inner = WORKER + f"{deaf}\nready('deaf', os.getpid())\n" + WAIT
    code = f"{deaf}\nsubprocess.Popen([sys.executable, '-c', {inner!r}, str(place)])\nready('up', 1)\n"
    top, place = start(code + WAIT)
    pids = [top.pid, _there(place / "deaf")]
    _there(place / "up")
    assert stop(top, grace=0.2)
    assert all(_gone(pid) for pid in pids)


def test_a_number_that_now_belongs_to_another_program_is_not_touched(start: Start) -> None:
    child, place = start("ready('up', 1)\n" + WAIT)
    _there(place / "up")
    boot, _, ticks = child.started.partition(".")
    assert len(boot) == 8
    for started in (f"{boot}.{int(ticks) - 1}", f"{boot}.{int(ticks) + 100}", f"00000000.{ticks}", ""):
        stale = ProcessId(child.pid, started)
        assert not stale.alive
        assert not stop(stale)
    assert child.alive


def test_an_ended_process_is_not_alive(start: Start) -> None:
    child, _ = start("")
    assert _gone(child.pid)
    assert not child.alive
    os.waitpid(child.pid, 0)
    assert not child.alive
    assert ProcessId.of(child.pid) is None


@pytest.mark.parametrize(
    "document", [{}, {"pid": 1}, {"pid": "x", "started": "1"}, {"pid": 1, "started": None}, {"pid": [], "started": "0"}]
)
def test_what_is_no_identity(document: dict[str, object]) -> None:
    assert ProcessId.from_dict(document) is None


@pytest.mark.parametrize("pid", [-1, 2**22 + 5, 2**40])
def test_an_impossible_number_is_not_alive(pid: int) -> None:
    assert not ProcessId(pid, "0").alive
    assert ProcessId.of(pid) is None


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalSystemError, match="/no/such/program"):
        start_detached(["/no/such/program"], log=tmp_path / "log", cwd=tmp_path)
    with pytest.raises(LocalSystemError, match="nowhere"):
        start_detached([sys.executable], log=tmp_path / "log", cwd=tmp_path / "nowhere")


def test_what_carries_a_mark_is_found_without_any_document(start: Start, tmp_path: Path) -> None:
    mine, place = start("ready('up', 1)\n" + WAIT, ONAIML_TEST_OF=str(tmp_path))
    _there(place / "up")
    (place / "up").unlink()
    other, _ = start("ready('up', 1)\n" + WAIT, ONAIML_TEST_OF=f"{tmp_path}/other")
    _there(place / "up")
    assert stop_marked("ONAIML_TEST_OF", str(tmp_path)) == 1
    assert not mine.alive
    assert other.alive
    assert stop_marked("ONAIML_TEST_OF", str(tmp_path)) == 0


def test_the_caller_and_those_above_it_are_spared(start: Start) -> None:
    """`env down` may be typed in a terminal of the very server that it ends."""
    inner = (
        WORKER + "from onaiml_cli.core.process import stop_marked\n"
        "place.joinpath('count').write_text(str(stop_marked('ONAIML_TEST_OF', str(place))))\nready('done', 1)\n"
    )
    top, place = start(
        f"subprocess.run([sys.executable, '-c', {inner!r}, str(place)])\n" + WAIT, ONAIML_TEST_OF="placeholder"
    )
    assert stop(top)
    top, place = start(
        f"subprocess.run([sys.executable, '-c', {inner!r}, str(place)])\n" + WAIT, ONAIML_TEST_OF=str(place)
    )
    _there(place / "done")
    assert (place / "count").read_text() == "0"
    assert top.alive


def test_a_childs_variables_do_not_point_at_our_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "JUPYTER_TOKEN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SSL_CERT_FILE", "kept")
    environ = clean_environment(ADDED="1")
    assert not {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "JUPYTER_TOKEN"} & set(environ)
    assert (environ["SSL_CERT_FILE"], environ["ADDED"]) == ("kept", "1")


def test_stop_does_not_wait_for_a_signal_of_its_own(start: Start) -> None:
    """A process may stop its own family, as `onaiml env down` in a kernel does; it ends the others and lives on."""
    code = (
        f"from onaiml_cli.core.process import ProcessId, stop\nchild = {CHILD}\n"
        "answer = stop(ProcessId.of(os.getpid()))\nready('answer', int(answer))\nready('child', child.pid)\n"
    )
    top, place = start(code + WAIT)
    assert _there(place / "answer") == 1
    assert _gone(_there(place / "child"))
    assert top.alive
    os.kill(top.pid, signal.SIGKILL)
