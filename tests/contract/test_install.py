"""Environments built by the real uv and the real pip, from an index on loopback that can be full of faults."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import pytest

from onaiml_cli.core.errors import PreflightError
from onaiml_cli.environment.install import choose
from onaiml_cli.environment.service import guard
from tests.conftest import MakeProject
from tests.contract.index import Index
from tests.contract.installs import (
    INSTALLERS,
    LOGIN,
    Words,
    build,
    environment_of,
    imported,
    names,
    point,
    refused,
    site,
)
from tests.small import Pin

# Building


def test_uv_and_pip_build_the_same(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"), index.add("second", "2.1"))
    seen = []
    for installer in INSTALLERS:
        environment = environment_of(made, installer)
        (facts,) = build(environment)
        assert facts == {"path": str(environment.path), "packages": 2, "installer": installer}
        assert environment.complete
        assert environment.steps() == []
        guard(environment)
        seen.append((names(environment), imported(environment, "import second; print(second.version)")))
        assert not list(environment.home.glob("*.txt"))
        shutil.rmtree(environment.path)
    assert seen == [(["first 1.0", "second 2.1"], "2.1")] * 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_person_sees_how_far_it_is(project: MakeProject, index: Index, installer: str) -> None:
    environment = environment_of(project(index.add("first"), index.add("second")), installer)
    words = Words()
    environment.steps()[0].apply(words)
    assert ("2/2 second" if installer == "pip" else "2 packages with uv") in words.notes


def test_other_hashes_of_the_same_version_do_no_harm(project: MakeProject, index: Index) -> None:
    pin = index.add("first")
    made = project(Pin(pin.name, pin.version, hashes=(f"sha256:{'0' * 64}", *pin.hashes)))
    environment = environment_of(made)
    build(environment)
    assert names(environment) == ["first 1.0"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_project_itself_is_installed_editable(project: MakeProject, index: Index, installer: str) -> None:
    """With poetry-core from the real environment, as in this very repo."""
    made = project(index.add("first"), name="mine", package=True)
    environment = environment_of(made, installer)
    first, second = environment.steps()
    assert (first.key, second.key) == ("environment", "project")
    first.apply(Words())
    assert [step.key for step in environment.steps()] == ["project"]
    # No index has poetry-core here, so the backend is put there by hand; `isolated` follows the lock.
    import poetry.core

    (site(environment) / "backend.pth").write_text(f"{Path(poetry.core.__file__).parents[2]}\n")
    choose(installer).editable(environment.path, made.root, isolated=False, log=environment.log, report=Words())
    (site(environment) / "backend.pth").unlink()
    assert environment.steps() == []
    (made.root / "src" / "mine" / "__init__.py").write_text("edited = 1\n")
    assert imported(environment, "import mine; print(mine.edited)") == "1"


# Refused


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_file_with_another_hash_is_refused(project: MakeProject, index: Index, installer: str) -> None:
    index.add("first")
    wrong = Pin("first", hashes=(f"sha256:{'0' * 64}",))
    error = refused(environment_of(project(wrong), installer), "E_HASH")
    assert "poetry lock" in error.hint


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("version", ["none", "another"])
def test_what_the_index_does_not_have(project: MakeProject, index: Index, installer: str, version: str) -> None:
    if version == "another":
        index.add("first", "2.0")
    refused(environment_of(project(Pin("first", "1.0")), installer), "E_NOT_ON_INDEX")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("login", ["", "somebody:wr0ng-pa55word", "t0ken-without-a-name"])
def test_a_login_that_is_refused(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch, installer: str, login: str
) -> None:
    index.login = LOGIN
    point(monkeypatch, index.url(login))
    environment = environment_of(project(index.add("first")), installer)
    error = refused(environment, "E_INDEX_AUTH")
    for secret in ("wr0ng-pa55word", "t0ken-without-a-name"):
        assert secret not in environment.log.read_text()
        assert secret not in str(error.as_dict())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_login_that_is_accepted_is_written_nowhere(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch, home: Path, installer: str
) -> None:
    index.login = LOGIN
    point(monkeypatch, index.url(LOGIN))
    environment = environment_of(project(index.add("first")), installer)
    build(environment)
    assert names(environment) == ["first 1.0"]
    secret = LOGIN.partition(":")[2].encode()
    for path in home.rglob("*"):
        if path.is_file() and environment.path / "bin" not in path.parents:
            assert secret not in path.read_bytes(), path


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_an_index_that_is_not_there(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    point(monkeypatch, f"http://{LOGIN}@127.0.0.1:{port}/simple")
    environment = environment_of(project(index.add("first")), installer)
    error = refused(environment, "E_INDEX_UNREACHABLE")
    secret = LOGIN.partition(":")[2]
    assert secret not in environment.log.read_text() + str(error.as_dict())


def test_a_python_that_is_none(project: MakeProject, index: Index, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    code = "import json, sys; from tests.small import probe"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}'\n")
    fake.chmod(0o755)
    with pytest.raises(PreflightError, match="not a Python"):
        environment_of(project(index.add("first")), python=str(fake))
