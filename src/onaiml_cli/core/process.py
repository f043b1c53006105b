"""Processes that outlive the command that started them.

A process is its pid *and* its start time: after a reboot or a wrap of the pid counter the same number is another
program, which must never be touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from onaiml_cli.core.errors import LocalSystemError, from_os_error


def _mark(process: psutil.Process) -> str:
    """When a process started, as a text that no other process of that number ever has.

    On Linux the boot's identity and the ticks since: the time of day would change with every correction of the clock,
    and a laptop that wakes would forget its own server. Elsewhere the kernel keeps the start as a fixed time.
    """
    stat, boot = Path(f"/proc/{process.pid}/stat"), Path("/proc/sys/kernel/random/boot_id")
    if not boot.is_file():
        return f"{process.create_time():.2f}"
    try:
        # The name of the program stands in brackets and may hold anything, blanks and brackets too.
        ticks = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError) as error:
        raise psutil.NoSuchProcess(process.pid) from error
    return f"{boot.read_text(encoding='ascii')[:8]}.{ticks}"


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for another.

    Attributes:
        pid: its number.
        started: when it started; a text to compare and nothing else.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of a running process; None when there is none of that number."""
        try:
            return cls(pid, _mark(psutil.Process(pid)))
        except (psutil.Error, ValueError):
            return None

    def as_dict(self) -> dict[str, Any]:
        return {"pid": self.pid, "started": self.started}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ProcessId | None:
        """What `as_dict` gave; None for anything else."""
        pid, started = document.get("pid"), document.get("started")
        return cls(pid, started) if isinstance(pid, int) and isinstance(started, str) else None

    def find(self) -> psutil.Process | None:
        """The running process; None when it has ended or the number now belongs to another program."""
        try:
            process = psutil.Process(self.pid)
            if _mark(process) != self.started:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except (psutil.Error, ValueError):
            return None

    @property
    def alive(self) -> bool:
        return self.find() is not None


def start_detached(
    arguments: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> ProcessId:
    """Start a program in a session of its own, its output appended to `log` (mode 0600).

    Raises LocalSystemError when it cannot be started.
    """
    command = [str(argument) for argument in arguments]
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(handle)
    except OSError as error:
        raise from_os_error(error) from error
    identity = ProcessId.of(child.pid)
    # The child is on its own from here; its handle must not complain when it is collected.
    child.returncode = 0
    if identity is None:
        raise LocalSystemError(f"{Path(command[0]).name} ended as soon as it was started.", hint=f"See {log}.")
    return identity


def stop(identity: ProcessId, *, grace: float = 5.0) -> bool:
    """End a process, its descendants and its session: politely, then by force. True when something was running."""
    process = identity.find()
    return process is not None and _end(_family(process), grace)


def _family(process: psutil.Process) -> list[psutil.Process]:
    """The process, its descendants, and what lost its parent but is still in the session that the process leads."""
    family = [process]
    with contextlib.suppress(psutil.Error):
        family += process.children(recursive=True)
    known = {member.pid for member in family}
    for other in psutil.process_iter():
        with contextlib.suppress(OSError):
            if other.pid not in known and os.getsid(other.pid) == process.pid:
                family.append(other)
    return family


def stop_marked(variable: str, value: str, *, grace: float = 5.0) -> int:
    """End every process of this user that carries a variable with this value; how many there were.

    It finds what a killed parent left behind and no document knows. The caller and its ancestors are spared: the
    command may have been typed in a terminal of the very server that it ends.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = process.pid not in spared and process.uids().real == os.getuid()
            if ours and process.environ().get(variable) == value:
                found.append(process)
    _end(found, grace)
    return len(found)


def _end(family: list[psutil.Process], grace: float) -> bool:
    family = [member for member in family if member.pid != os.getpid()]
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=grace)
    for member in left:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(left, timeout=grace)
    return True


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's variables for a child that runs another interpreter.

    Certificates, proxies and registry settings pass through; what would point the child at *our* interpreter or at
    somebody else's Jupyter does not.
    """
    dropped = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "JUPYTER_TOKEN", "JUPYTER_RUNTIME_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, **changes}
