"""Leases: who still uses the Spark server of this machine, so that it ends when nobody does.

A lease is a small file named after a process. Its holder touches it whenever it works; it counts while the holder
lives and was last active less than the idle limit ago.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onaiml_cli.core.process import ProcessId
from onaiml_cli.core.state import write_atomic


@dataclass(frozen=True)
class Lease:
    """One holder and when it was last active, in seconds since the epoch."""

    path: Path
    holder: ProcessId
    active: float


def grant(folder: Path, holder: ProcessId) -> Path:
    """Write the lease of a process; its file."""
    path = folder / f"{holder.pid}.lease"
    write_atomic(path, f"{holder.pid} {holder.started}\n")
    return path


def living(folder: Path) -> Iterator[Lease]:
    """The leases whose holders live; those of the dead are removed."""
    for path in sorted(folder.glob("*.lease")) if folder.is_dir() else ():
        with contextlib.suppress(OSError, ValueError):
            pid, started = path.read_text(encoding="utf-8").split()
            holder = ProcessId(int(pid), started)
            if holder.alive:
                yield Lease(path, holder, path.stat().st_mtime)
            else:
                path.unlink()


def last_active(folder: Path) -> float | None:
    """When any living holder was last active; None when none lives."""
    times = [lease.active for lease in living(folder)]
    return max(times) if times else None
