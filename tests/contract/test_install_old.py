"""Which environments of earlier locks stay, and which go."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from onaiml_cli.core.clock import SystemClock, wait_until
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.core.state import data_home
from onaiml_cli.environment.local import LocalEnvironment
from onaiml_cli.environment.service import guard, virtualenv
from tests.conftest import MakeProject
from tests.contract.index import Index
from tests.contract.installs import (
    build,
    environment_of,
    running,
)
from tests.small import Pin, content_hash, full_disk, lock_text

# Old environments


def _locked(project: Project, pin: Pin) -> Project:
    project.lock_path.write_text(lock_text(pin, hashed=content_hash(project.pyproject)))
    return load_project(project.root)


def _aged(environment: LocalEnvironment, age: float) -> LocalEnvironment:
    """As if it had been built so many seconds ago."""
    then = time.time() - age
    os.utime(environment.path, (then, then))
    return environment


def _three(project: MakeProject, index: Index) -> tuple[Project, list[LocalEnvironment]]:
    pins = [index.add("first", version) for version in ("1.0", "2.0", "3.0")]
    made, built = project(), []
    for number, pin in enumerate(pins[:2]):
        made = _locked(made, pin)
        built.append(environment_of(made))
        build(built[-1])
        _aged(built[-1], 1000 - number)
    return _locked(made, pins[2]), built


def test_old_environments_are_forgotten_but_the_last_one(project: MakeProject, index: Index) -> None:
    made, (oldest, older) = _three(project, index)
    newest = environment_of(made)
    build(newest)
    assert [each.complete for each in (oldest, older, newest)] == [False, True, True]
    assert not oldest.path.exists()


@pytest.mark.parametrize("how", ["by its path", "by its name"])
def test_an_environment_in_use_is_not_forgotten(project: MakeProject, index: Index, how: str) -> None:
    """A kernel is started by its path; `python train.py` in a shell of the workspace by its name alone."""
    made, (oldest, _) = _three(project, index)
    environ = {**os.environ, "VIRTUAL_ENV": str(oldest.path), "PATH": f"{oldest.path}/bin:{os.environ['PATH']}"}
    word = str(oldest.python) if how == "by its path" else "python"
    code = "import sys; print('up', flush=True); sys.stdin.read(); import first; print(first.version)"
    with subprocess.Popen(
        [word, "-I", "-c", code],
        env=os.environ if how == "by its path" else environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        executable=str(oldest.python),
    ) as kernel:
        assert kernel.stdout is not None
        assert kernel.stdout.readline() == "up\n"
        build(environment_of(made))
        assert oldest.complete
        assert kernel.communicate(timeout=30)[0] == "1.0\n"


def test_what_was_left_half_built_or_half_removed_goes_first(project: MakeProject, index: Index) -> None:
    made, (oldest, older) = _three(project, index)
    shutil.rmtree(oldest.path)
    for name in ("0123456789ab", ".ba9876543210.removed-1"):
        (oldest.home / name / "lib").mkdir(parents=True)
    newest = environment_of(made)
    build(newest)
    assert sorted(entry.name for entry in newest.home.iterdir()) == sorted([older.path.name, newest.path.name])


def test_an_old_environment_that_cannot_be_removed_does_not_spoil_the_new_one(
    project: MakeProject, index: Index
) -> None:
    made, (oldest, _) = _three(project, index)
    with full_disk(oldest.path / "busy", size="64k"):
        newest = environment_of(made)
        build(newest)
        assert newest.complete
        guard(virtualenv(made, newest.config))


def test_going_back_to_an_old_lock_costs_nothing(project: MakeProject, index: Index) -> None:
    made, (_, older) = _three(project, index)
    build(environment_of(made))
    back = environment_of(_locked(made, index.add("first", "2.0")))
    assert back.path == older.path
    assert back.steps() == []


def test_environments_lie_outside_of_the_repo_and_are_private(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"))
    environment = environment_of(made)
    build(environment)
    assert data_home() in environment.path.parents
    assert made.root not in environment.path.parents
    assert environment.home.stat().st_mode & 0o077 == 0
    assert environment.log.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("quick")
def test_nothing_of_an_installer_is_leftrunning(project: MakeProject, index: Index) -> None:
    environment = environment_of(project(index.add("first")), "pip")
    build(environment)
    assert wait_until(lambda: not running(environment) or None, clock=SystemClock(), timeout=10)
