"""A JupyterLab server as a process: started on loopback with a token, ready when its API answers."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onaiml_cli.core.clock import Clock, wait_until
from onaiml_cli.core.errors import LocalSystemError, UsageError, WorkFailedError
from onaiml_cli.core.process import ProcessId, clean_environment, start_detached, stop
from onaiml_cli.core.state import private_folder, write_atomic

HOST = "127.0.0.1"
# Every process of a workspace's JupyterLab carries this variable, whatever became of its parent.
MARK = "ONAIML_JUPYTER_OF"
# So many ports after the preferred one are tried.
_PORTS = 200


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    process: ProcessId
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/lab"


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_port(preferred: int, *, exact: bool) -> int:
    """A free port: the preferred one or, unless it must be that one, the next. Raises LocalSystemError."""
    candidates = [preferred] if exact else range(preferred, min(preferred + _PORTS, 65536))
    for port in candidates:
        if 1 <= port <= 65535 and port_is_free(port):
            return port
    if not 1 <= preferred <= 65535:
        raise UsageError(f"{preferred} is not a port.", hint="Ports go from 1 to 65535; 8888 is usual.", code="E_PORT")
    raise LocalSystemError(
        f"Port {preferred} is taken by another program" + ("." if exact else f", and so are the {_PORTS} after it."),
        hint="Leave --port out to take the next free one, or name another.",
        code="E_PORT_BUSY",
    )


def start(*, python: Path, root: Path, home: Path, port: int, token_file: Path, log: Path, path: str) -> Server:
    """Start JupyterLab from an environment; it may not answer yet.

    Args:
        python: interpreter of the environment.
        root: folder that JupyterLab shows.
        home: the workspace's folder: kernel specs in `jupyter`, runtime files in `runtime`.
        token_file: gets a new token; the server reads it from there, so that it is in no command line.
        path: value of PATH for the server and its kernels.
    """
    write_atomic(token_file, secrets.token_hex(24))
    private_folder(home / "runtime")
    command: list[str | Path] = [
        python,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.quit_button=False",
        # A laptop without a network must not wait for a news feed or a version check.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdates",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--ServerApp.allow_root=True")
    variables = clean_environment(
        JUPYTER_TOKEN_FILE=str(token_file),
        JUPYTER_PATH=str(home / "jupyter"),
        JUPYTER_RUNTIME_DIR=str(home / "runtime"),
        PATH=path,
        VIRTUAL_ENV=str(python.parent.parent),
        **{MARK: str(home)},
    )
    return Server(start_detached(command, log=log, cwd=root, env=variables), port)


def ask(port: int, token_file: Path, *, timeout: float = 5.0) -> Mapping[str, Any] | None:
    """What `/api/status` of *our* server answers; None when nothing answers or it does not know our token."""
    try:
        token = token_file.read_text(encoding="utf-8")
        connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
        try:
            connection.request("GET", "/api/status", headers={"Authorization": f"token {token}"})
            answer = connection.getresponse()
            document = json.loads(answer.read())
            return document if answer.status == 200 and isinstance(document, dict) else None
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None


def wait_ready(server: Server, token_file: Path, *, log: Path, clock: Clock, timeout: float) -> Mapping[str, Any]:
    """Wait until the API answers. Raises WorkFailedError with the server's last words; it is then stopped."""

    def ready() -> Mapping[str, Any] | None:
        if not server.process.alive:
            return {}
        return ask(server.port, token_file)

    answer = wait_until(ready, clock=clock, timeout=timeout, first=0.1, longest=0.5)
    if answer:
        return answer
    stop(server.process)
    last = last_words(log)
    if "already in use" in last or "Address in use" in last:
        raise LocalSystemError(
            f"Port {server.port} was taken by another program in this moment.",
            hint="Run the same command again.",
            code="E_PORT_BUSY",
            retryable=True,
        )
    what = f"did not answer within {timeout:.0f} s" if answer is None else "ended while it started"
    raise WorkFailedError(
        f"JupyterLab {what}: {last or 'it printed nothing'}",
        hint=f"See {log}; `onaiml env up` tries again.",
        code="E_JUPYTER",
    )


def last_words(log: Path) -> str:
    """The last lines of a log that say something, joined; at most 400 characters."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-40:] if line.strip())[-400:]
