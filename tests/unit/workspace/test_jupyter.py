"""The parts of the JupyterLab server that need no JupyterLab."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from onaiml_cli.core.errors import LocalSystemError, UsageError, WorkFailedError
from onaiml_cli.core.process import ProcessId
from onaiml_cli.workspace import jupyter
from tests.conftest import FakeClock


@pytest.fixture
def busy() -> Iterator[int]:
    """A port of somebody else."""
    with socket.socket() as taken:
        taken.bind((jupyter.HOST, 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_the_next_free_port_is_taken_unless_an_exact_one_was_asked_for(busy: int) -> None:
    assert jupyter.choose_port(busy, exact=False) > busy
    with pytest.raises(LocalSystemError) as refused:
        jupyter.choose_port(busy, exact=True)
    assert refused.value.code == "E_PORT_BUSY"


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_what_is_no_port_is_a_usage_error(port: int) -> None:
    with pytest.raises(UsageError) as refused:
        jupyter.choose_port(port, exact=True)
    assert refused.value.code == "E_PORT"


class _Answers(http.server.BaseHTTPRequestHandler):
    """A server that knows one token; `body` is what it answers to that."""

    body = b"{}"

    def do_GET(self) -> None:
        good = self.headers["Authorization"] == "token secret"
        self.send_response(200 if good else 403)
        self.end_headers()
        self.wfile.write(self.body if good else b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer((jupyter.HOST, 0), _Answers) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield httpd.server_address[1]
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("token", "body", "good"),
    [
        ("secret", b'{"kernels": 0}', True),
        ("another", b"{}", False),
        ("secret", b"<html>", False),
        ("secret", b"[]", False),
    ],
)
def test_only_a_server_that_knows_our_token_counts(
    tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch, token: str, body: bytes, good: bool
) -> None:
    monkeypatch.setattr(_Answers, "body", body)
    token_file = tmp_path / "token"
    token_file.write_text(token)
    answer = jupyter.ask(server, token_file)
    assert (answer == json.loads(body)) if good else (answer is None)
    assert jupyter.ask(server, tmp_path / "no-token") is None


def test_a_server_that_never_answers_is_ended_and_its_last_words_are_told(tmp_path: Path, clock: FakeClock) -> None:
    log = tmp_path / "log"
    log.write_text("starting\n\nloading extension\n")
    with psutil.Popen(["sleep", "600"]) as silent:
        identity = ProcessId.of(silent.pid)
        assert identity is not None
        server = jupyter.Server(identity, 9)
        (tmp_path / "token").write_text("secret")
        with pytest.raises(WorkFailedError, match=r"did not answer within 30 s: starting \| loading extension"):
            jupyter.wait_ready(server, tmp_path / "token", log=log, clock=clock, timeout=30)
        assert not silent.is_running()
    assert clock.seconds == 30


def test_a_server_that_ends_while_it_starts_is_not_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    log = tmp_path / "log"
    log.write_text("ModuleNotFoundError: No module named 'jupyterlab'\n")
    gone = jupyter.Server(ProcessId(2**22 - 1, "1"), 9)
    with pytest.raises(WorkFailedError, match="ended while it started: ModuleNotFoundError"):
        jupyter.wait_ready(gone, tmp_path / "token", log=log, clock=clock, timeout=30)
    assert clock.slept == []


def test_a_port_lost_to_another_program_in_that_moment_is_said(tmp_path: Path, clock: FakeClock) -> None:
    log = tmp_path / "log"
    log.write_text("OSError: [Errno 98] Address already in use\n")
    with pytest.raises(LocalSystemError) as refused:
        jupyter.wait_ready(
            jupyter.Server(ProcessId(2**22 - 1, "1"), 9), tmp_path / "t", log=log, clock=clock, timeout=3
        )
    assert refused.value.code == "E_PORT_BUSY"
    assert refused.value.retryable
