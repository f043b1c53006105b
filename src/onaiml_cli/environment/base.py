"""The environment as data: what the lock asks for, what a place holds, and how the two differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from onaiml_cli.core.plan import Step

# The file inside an environment that says which one it is; written when it is whole.
STAMP = "onaiml-environment.json"


@dataclass(frozen=True)
class Package:
    """One distribution, by its normalised name."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Interpreter:
    """A Python to build an environment with.

    Attributes:
        path: of the executable.
        version: full, such as 3.11.7.
        markers: the variables of PEP 508 markers as this interpreter answers them.
        platform: `sysconfig.get_platform()`, such as linux-x86_64.
    """

    path: Path
    version: str
    markers: Mapping[str, str] = field(repr=False, hash=False)
    platform: str = ""

    @property
    def minor(self) -> str:
        """X.Y"""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class Selection:
    """What of a lock belongs to one environment, for one interpreter.

    Attributes:
        fingerprint: sha256, hexadecimal; see fingerprint.py.
        packages: sorted by name.
        extras, groups: what was chosen.
    """

    fingerprint: str
    packages: tuple[Package, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    interpreter: Interpreter

    def as_dict(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "packages": [[package.name, package.version] for package in self.packages],
            "extras": list(self.extras),
            "groups": list(self.groups),
        }


@dataclass(frozen=True)
class Difference:
    """How a place differs from the lock.

    Attributes:
        missing: locked, not there.
        changed: there at another version: (locked, found).
        extra: there, not locked.
    """

    missing: tuple[Package, ...] = ()
    changed: tuple[tuple[Package, Package], ...] = ()
    extra: tuple[Package, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.extra)

    def lines(self, limit: int = 5) -> list[str]:
        """The first differences, one a line, for people."""
        every = [f"{package} is missing" for package in self.missing]
        every += [f"{locked.name} is {found.version}, locked is {locked.version}" for locked, found in self.changed]
        every += [f"{package} is not in the lock" for package in self.extra]
        shown = every[:limit]
        return [*shown, f"and {len(every) - limit} more"] if len(every) > limit else shown


def own_interpreter() -> Path:
    """The interpreter behind onaiml's own virtualenv: environments are built with it unless config says otherwise."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(os.path.realpath(base))


class EnvironmentPlace(Protocol):
    """A place that can hold an environment: a virtualenv here, later a pod, a cluster, an image."""

    @property
    def selection(self) -> Selection:
        """What it should hold."""
        ...

    def difference(self) -> Difference | None:
        """What it holds against the lock; None when there is nothing yet."""
        ...

    def steps(self) -> list[Step]:
        """What would bring it to the lock; none when it matches."""
        ...


class VirtualEnvironment(EnvironmentPlace, Protocol):
    """A place on this machine, with an interpreter that can be run."""

    @property
    def path(self) -> Path:
        """The folder of the virtualenv."""
        ...

    @property
    def python(self) -> Path: ...
