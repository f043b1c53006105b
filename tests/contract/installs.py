"""How the tests of installers build an environment, and look at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from onaiml_cli.core.config import load_config
from onaiml_cli.core.errors import WorkFailedError
from onaiml_cli.core.project import Project
from onaiml_cli.environment import inventory
from onaiml_cli.environment.local import LocalEnvironment

INSTALLERS = ("uv", "pip")
LOGIN = "somebody:pa55word-of-somebody"


UV = Path(sys.executable).with_name("uv")


def point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("UV_INDEX_URL", url)
    monkeypatch.setenv("PIP_INDEX_URL", url)


class Words:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: float, total: float, text: str = "") -> None:
        self.notes.append(f"{done:g}/{total:g} {text}")


def environment_of(project: Project, installer: str = "uv", **options: object) -> LocalEnvironment:
    given = {"environment.installer": installer, **{f"environment.{key}": value for key, value in options.items()}}
    return LocalEnvironment.of(project, load_config(project, options=given, environ={}))


def build(environment: LocalEnvironment) -> list[dict[str, Any]]:
    return [dict(step.apply(Words()) or {}) for step in environment.steps()]


def refused(environment: LocalEnvironment, code: str) -> WorkFailedError:
    with pytest.raises(WorkFailedError) as caught:
        build(environment)
    assert (caught.value.code, caught.value.exit_code) == (code, 1), caught.value.details
    assert str(environment.log) in caught.value.hint
    assert not environment.complete
    return caught.value


def names(environment: LocalEnvironment) -> list[str]:
    found = inventory.installed(environment.path)
    return [str(package) for package in found if package.name not in ("pip", "setuptools")]


def imported(environment: LocalEnvironment, code: str) -> str:
    ran = subprocess.run([environment.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def site(environment: LocalEnvironment) -> Path:
    found = inventory.site_packages(environment.path)
    assert found is not None
    return found


def running(environment: LocalEnvironment) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(environment.path) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
