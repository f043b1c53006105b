"""What people and accidents do to an environment is found and mended."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onaiml_cli.core.errors import DriftError, PreflightError, WorkFailedError
from onaiml_cli.environment.base import STAMP
from onaiml_cli.environment.local import LocalEnvironment
from onaiml_cli.environment.service import guard
from tests.conftest import MakeProject
from tests.contract.index import Index
from tests.contract.installs import (
    INSTALLERS,
    LOGIN,
    UV,
    Words,
    build,
    environment_of,
    imported,
    names,
    site,
)

# Drift


@pytest.fixture(params=INSTALLERS)
def built(project: MakeProject, index: Index, quick: None, request: pytest.FixtureRequest) -> LocalEnvironment:
    environment = environment_of(project(index.add("first"), index.add("second"), index.add("third")), request.param)
    index.add("first", "2.0")
    index.add("other")
    build(environment)
    return environment


def _by_hand(environment: LocalEnvironment, *words: str) -> None:
    """What a person does in an environment, with whichever tool."""
    ran = subprocess.run(
        [UV, "pip", *words, "--python", environment.python], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_what_was_done_by_hand_is_found_and_mended(built: LocalEnvironment) -> None:
    _by_hand(built, "install", "first==2.0", "other")
    _by_hand(built, "uninstall", "second")
    difference = built.difference()
    assert difference is not None
    assert difference.lines() == [
        "second 1.0 is missing",
        "first is 2.0, locked is 1.0",
        "other 1.0 is not in the lock",
    ]
    with pytest.raises(DriftError) as caught:
        guard(built)
    assert "second 1.0 is missing" in caught.value.message
    (step,) = built.steps()
    assert step.text == "Mend 3 packages of the environment"
    step.apply(Words())
    assert names(built) == ["first 1.0", "second 1.0", "third 1.0"]
    assert built.steps() == []
    assert imported(built, "import first, second; print(first.version)") == "1.0"


def test_an_interrupted_uninstall_is_mended(built: LocalEnvironment) -> None:
    folder = site(built)
    (folder / "first-1.0.dist-info" / "METADATA").unlink()
    (folder / "first" / "__init__.py").unlink()
    (folder / "second-1.0.dist-info").rename(folder / "~econd-1.0.dist-info")
    (step,) = built.steps()
    step.apply(Words())
    assert built.steps() == []
    assert imported(built, "import first, second; print(first.version, second.version)") == "1.0 1.0"


def test_two_versions_side_by_side_are_mended(built: LocalEnvironment) -> None:
    folder = site(built)
    shutil.copytree(folder / "first-1.0.dist-info", folder / "first-2.0.dist-info")
    metadata = folder / "first-2.0.dist-info" / "METADATA"
    # uv installs hard links into its cache: replace the file, do not write through it.
    text = metadata.read_text().replace("1.0", "2.0")
    metadata.unlink()
    metadata.write_text(text)
    (step,) = built.steps()
    step.apply(Words())
    assert built.steps() == []
    assert names(built) == ["first 1.0", "second 1.0", "third 1.0"]
    assert imported(built, "import first; print(first.version)") == "1.0"


def test_a_mend_that_fails_is_followed_by_a_build(
    built: LocalEnvironment, index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _by_hand(built, "uninstall", "second")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "other-cache"))
    index.login = LOGIN
    with pytest.raises(WorkFailedError):
        build(built)
    assert not built.complete
    index.login = ""
    assert built.steps()[0].text.startswith("Build the environment")
    build(built)
    guard(built)


def test_a_dangling_interpreter_is_seen(built: LocalEnvironment) -> None:
    """As after an upgrade of the system's Python."""
    built.python.unlink()
    built.python.symlink_to("/nowhere/python3")
    assert not built.complete
    build(built)
    assert names(built) == ["first 1.0", "second 1.0", "third 1.0"]


@pytest.mark.parametrize("content", ["", "[]", "3", "null", '{"fingerprint": 3}', '{"fingerprint": "other"}'])
def test_a_spoilt_stamp_is_no_stamp(project: MakeProject, index: Index, content: str) -> None:
    environment = environment_of(project(index.add("first")))
    build(environment)
    (environment.path / STAMP).write_text(content)
    assert not environment.complete
    assert environment.steps()[0].text.startswith("Build")


def test_the_environment_under_a_running_command_is_not_rebuilt(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_of(project(index.add("first")))
    monkeypatch.setattr(sys, "prefix", str(environment.path))
    with pytest.raises(PreflightError) as caught:
        environment.steps()
    assert caught.value.code == "E_OWN_FLOOR"
