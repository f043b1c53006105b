"""The environment on this machine: a virtualenv outside the source tree, one for each fingerprint.

A new lock gets a new folder, so a running kernel keeps the packages it was started with, a build that is interrupted
is never mistaken for a whole one (the stamp is written last), and going back to an old lock costs nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from onaiml_cli.core.config import Config
from onaiml_cli.core.errors import LocalSystemError, PreflightError, from_os_error
from onaiml_cli.core.plan import Reporter, Step
from onaiml_cli.core.process import ProcessId, stop
from onaiml_cli.core.project import Project
from onaiml_cli.core.state import data_home, lock, private_folder, state_home, write_atomic
from onaiml_cli.environment import inventory
from onaiml_cli.environment.base import STAMP, Difference, Selection
from onaiml_cli.environment.install import choose
from onaiml_cli.environment.lock import normalise
from onaiml_cli.environment.select import requirements, select

# This many complete environments of a project are kept besides those that a process still uses.
_KEPT = 2


@dataclass(frozen=True)
class LocalEnvironment:
    """The virtualenv of a project for one selection."""

    project: Project
    config: Config
    selection: Selection

    @classmethod
    def of(cls, project: Project, config: Config) -> LocalEnvironment:
        """The environment that the project's lock asks for. Raises LockError and PreflightError (see `select`)."""
        return cls(project, config, select(project, config))

    @property
    def home(self) -> Path:
        """The folder of all environments of this project."""
        return data_home() / "environments" / self.project.identity

    @property
    def path(self) -> Path:
        return self.home / self.selection.fingerprint[:12]

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def log(self) -> Path:
        return state_home() / "logs" / f"{self.project.identity}-install.log"

    @property
    def complete(self) -> bool:
        """Whether the build of this folder came to its end, for this very fingerprint and project."""
        try:
            stamp = json.loads((self.path / STAMP).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        # The interpreter is a link that dangles when the system's Python was replaced.
        known = stamp.get("fingerprint") if isinstance(stamp, dict) else None
        return known == self.selection.fingerprint and self.python.exists()

    def difference(self) -> Difference | None:
        if not self.complete:
            return None
        return self._compare()

    def _compare(self) -> Difference:
        return inventory.compare(self.selection.packages, inventory.installed(self.path), ignore=[self.project.name])

    @property
    def holds_project(self) -> bool:
        """Whether the project itself is installed there, editable."""
        name = normalise(self.project.name)
        return any(package.name == name for package in inventory.installed(self.path))

    @property
    def installable(self) -> bool:
        """Whether the project can be installed at all: it names a build backend, or Poetry's package mode is on."""
        poetry = self.project.pyproject.get("tool", {}).get("poetry", {})
        return "build-system" in self.project.pyproject and poetry.get("package-mode", True) is not False

    def steps(self) -> list[Step]:
        """What would make this environment match its lock.

        Raises PreflightError when that would pull the floor from under the running command.
        """
        difference = self.difference()
        count = len(self.selection.packages)
        steps = []
        if difference is None:
            self._refuse_own_floor()
            text = f"Build the environment {self.selection.fingerprint[:12]}: Python {self.selection.interpreter.minor}"
            steps.append(Step("environment", f"{text}, {count} locked packages", self._build, detail=str(self.path)))
        elif difference:
            wrong = len(difference.missing) + len(difference.changed) + len(difference.extra)
            lines = "; ".join(difference.lines())
            steps.append(Step("environment", f"Mend {wrong} packages of the environment", self._mend, detail=lines))
        if self.installable and (difference is None or not self.holds_project):
            text = f"Install {self.project.name} editable, so that edits show at once"
            steps.append(Step("project", text, self._install_project))
        return steps

    def _refuse_own_floor(self) -> None:
        if Path(sys.prefix).resolve() == self.path.resolve():
            raise PreflightError(
                "The environment has to be built anew, and this very command runs from it.",
                hint="Type `make up`, or run onaiml from an installation of its own.",
                code="E_OWN_FLOOR",
            )

    @contextlib.contextmanager
    def _alone(self, report: Reporter) -> Iterator[None]:
        """Only one command at a time builds or mends the environments of a project."""
        path = state_home() / "environments" / f"{self.project.identity}.lock"
        with lock(path, "onaiml env up", waiting=lambda holder: report.note(f"waiting for {holder}")):
            yield

    def _build(self, report: Reporter) -> Mapping[str, Any]:
        with self._alone(report):
            # Another command may have built it while this one waited.
            return {"path": str(self.path)} if self.complete else self._build_alone(report)

    def _build_alone(self, report: Reporter) -> Mapping[str, Any]:
        installer = choose(self.config.text("environment.installer"))
        private_folder(self.home)
        self._end_orphans()
        _remove(self.path)
        self._start_log()
        wanted = self._write_requirements()
        try:
            installer.create(self.path, self.selection.interpreter.path, self.log, report)
            installer.install(self.path, wanted, len(self.selection.packages), self.log, report)
        finally:
            wanted.unlink(missing_ok=True)
        self._stamp(installer.name)
        self._forget_old()
        return {"path": str(self.path), "packages": len(self.selection.packages), "installer": installer.name}

    def _mend(self, report: Reporter) -> Mapping[str, Any]:
        with self._alone(report):
            return self._mend_alone(report)

    def _mend_alone(self, report: Reporter) -> Mapping[str, Any]:
        self._end_orphans()
        difference = self.difference() or Difference()
        installer = choose(self.config.text("environment.installer"))
        self._start_log()
        (self.path / STAMP).unlink(missing_ok=True)
        for folder in inventory.leftovers(self.path):
            _remove(folder)
        if difference.extra:
            names = dict.fromkeys(package.name for package in difference.extra)
            installer.uninstall(self.path, list(names), self.log, report)
        if difference.missing or difference.changed:
            wanted = self._write_requirements()
            try:
                installer.install(self.path, wanted, len(self.selection.packages), self.log, report)
            finally:
                wanted.unlink(missing_ok=True)
        if self._compare():
            # Two versions side by side, for one: no installer sorts that out.
            self._refuse_own_floor()
            return self._build_alone(report)
        self._stamp(installer.name)
        return {"path": str(self.path), "installer": installer.name}

    def _install_project(self, report: Reporter) -> Mapping[str, Any]:
        installer = choose(self.config.text("environment.installer"))
        backend = self.project.pyproject.get("build-system", {}).get("build-backend", "")
        # poetry-core comes with the environment; another backend is fetched into a place of its own.
        have = {package.name for package in self.selection.packages}
        isolated = not (str(backend).startswith("poetry.core") and "poetry-core" in have)
        with self._alone(report):
            installer.editable(self.path, self.project.root, isolated=isolated, log=self.log, report=report)
        return {"project": self.project.name}

    def _end_orphans(self) -> None:
        """End installers of this environment that a killed command left at work: they would write into the new one."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                filling = str(self.python) in words and "pip" in words
                making = str(self.path) in words and "venv" in words
                identity = ProcessId.of(process.pid) if filling or making else None
                if identity is not None:
                    stop(identity)

    def _write_requirements(self) -> Path:
        path = self.home / f"{self.selection.fingerprint[:12]}.txt"
        write_atomic(path, requirements(self.project, self.selection))
        return path

    def _start_log(self) -> None:
        self.log.unlink(missing_ok=True)

    def _stamp(self, installer: str) -> None:
        selection = self.selection
        stamp = {
            "schema": 1,
            "fingerprint": selection.fingerprint,
            "project": str(self.project.root),
            "python": selection.interpreter.version,
            "extras": selection.extras,
            "groups": selection.groups,
            "installer": installer,
        }
        write_atomic(self.path / STAMP, json.dumps(stamp, indent=1) + "\n")

    def _forget_old(self) -> None:
        """Remove environments of earlier locks, but the newest and those that a process still runs from.

        What was left half built or half removed goes first. One that cannot be removed is left for the next time.
        """
        with contextlib.suppress(OSError, LocalSystemError):
            others = [entry for entry in self.home.iterdir() if entry.is_dir() and entry != self.path]
            whole = [entry for entry in others if (entry / STAMP).is_file() and not entry.name.startswith(".")]
            whole.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
            used = _used()
            for entry in others:
                if entry not in whole[: _KEPT - 1] and not any(_below(path, entry) for path in used):
                    _remove(entry)


def _used() -> set[str]:
    """What the processes of this machine were started from: their programs, and the virtualenvs they name."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            found.update(process.cmdline()[:1])
            # `python train.py` in a shell of the workspace says only `python`.
            variables = process.environ()
            found.update((variables.get("VIRTUAL_ENV", ""), variables.get("PATH", "").partition(os.pathsep)[0]))
    return found


def _below(path: str, folder: Path) -> bool:
    return path == str(folder) or path.startswith(f"{folder}{os.sep}")


def _remove(folder: Path) -> None:
    """Remove a folder; it is renamed first, so that a part of it is never taken for the whole."""
    if not folder.exists():
        return
    doomed = folder.with_name(f".{folder.name.lstrip('.')}.removed-{os.getpid()}")
    try:
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise from_os_error(error) from error
