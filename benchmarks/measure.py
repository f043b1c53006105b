"""Running programs and measuring what they cost. On a shared machine CPU time is the figure to trust.

The candidates of a case take turns, so that whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


class CheckError(Exception):
    """A candidate did not do what it is measured for."""


@dataclass(frozen=True)
class Candidate:
    """One program call.

    Attributes:
        name: who it is, in the tables.
        argv: what is run.
        environment: all of its variables.
        folder: where it runs.
        shows: what its output has to contain for the run to count.
        status: the exit status that it is known to have.
        why_not: a reason not to run it, shown in its place.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    shows: str
    status: int = 0
    why_not: str = ""


@dataclass
class Samples:
    """What the repetitions of one candidate took, in milliseconds."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    why_not: str = ""

    @property
    def cpu_median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def wall_median(self) -> float:
        return statistics.median(self.wall)

    def as_dict(self) -> dict[str, object]:
        if self.why_not:
            return {"not_run": self.why_not}
        return {"cpu_ms": [round(value, 1) for value in self.cpu], "wall_ms": [round(value, 1) for value in self.wall]}


def run_once(candidate: Candidate) -> tuple[float, float]:
    """CPU (user and system, with the children it waited for) and wall in milliseconds.

    Raises CheckError when it ends with another status than it should or does not print what it should.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            candidate.argv,
            env=candidate.environment,
            cwd=candidate.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, raw, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(raw)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != candidate.status:
        raise CheckError(f"ended with {process.returncode} instead of {candidate.status}")
    if candidate.shows not in text:
        raise CheckError(f"did not print {candidate.shows!r}")
    return (usage.ru_utime + usage.ru_stime) * 1000, wall * 1000


def in_turns(candidates: Sequence[Candidate], repetitions: int) -> dict[str, Samples]:
    """Each candidate once to warm up, then all of them in turns."""
    found = {candidate.name: Samples(why_not=candidate.why_not) for candidate in candidates}
    for turn in range(repetitions + 1):
        for candidate in candidates:
            samples = found[candidate.name]
            if samples.why_not:
                continue
            try:
                cpu, wall = run_once(candidate)
            except (CheckError, OSError) as problem:
                # Its folder is a path of this machine; a report has no place for that.
                samples.why_not = str(problem) if isinstance(problem, CheckError) else type(problem).__name__
                continue
            if turn:
                samples.cpu.append(cpu)
                samples.wall.append(wall)
    return found


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {_distribution()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def commit(folder: Path) -> str:
    """Which state of the repo this is."""
    words = ["git", "-C", str(folder), "describe", "--always", "--exclude=*", "--dirty= with changes"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    return " / ".join(f"{value:.1f}" for value in os.getloadavg())


def _cpu_model() -> str:
    for key, value in _pairs(Path("/proc/cpuinfo"), ":"):
        if key == "model name":
            return value
    return platform.processor() or "unknown"


def _distribution() -> str:
    names = dict(_pairs(Path("/etc/os-release"), "="))
    return names.get("PRETTY_NAME", sys.platform).strip('"')


def _pairs(path: Path, sign: str) -> Iterator[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        key, _, value = line.partition(sign)
        yield key.strip(), value.strip()
