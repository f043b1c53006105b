"""Environments built by the real uv and the real pip, from an index on loopback that can be full of faults."""

from __future__ import annotations

import ensurepip
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from onaiml_cli.core.clock import SystemClock, wait_until
from onaiml_cli.core.config import load_config
from onaiml_cli.core.errors import DriftError, PreflightError, WorkFailedError
from onaiml_cli.core.plan import Reporter
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.core.state import data_home
from onaiml_cli.environment import inventory
from onaiml_cli.environment.base import STAMP
from onaiml_cli.environment.install import Pip, Uv, choose
from onaiml_cli.environment.local import LocalEnvironment
from onaiml_cli.environment.service import guard, virtualenv
from tests.conftest import MakeProject
from tests.contract.index import Index, serving
from tests.small import Pin, content_hash, full_disk, lock_text

INSTALLERS = ("uv", "pip")
LOGIN = "somebody:pa55word-of-somebody"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    """The only index that both installers know, with caches of their own."""
    with serving(Index()) as served:
        for name in list(os.environ):
            if name.startswith(("PIP_", "UV_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        _point(monkeypatch, served.url())
        yield served


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtualenv with the very pip that ensurepip brings, in a tenth of ensurepip's time."""

    def create(pip: Pip, venv: Path, python: Path, log: Path, report: Reporter) -> None:
        Uv(_UV).create(venv, python, log, report)
        site = inventory.site_packages(venv)
        assert site is not None
        # Debian keeps the wheel apart from the module.
        places = [Path(ensurepip.__file__).parent / "_bundled", Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/")]
        bundled = next(wheel for place in places for wheel in place.glob("pip-*.whl"))
        with zipfile.ZipFile(bundled) as archive:
            archive.extractall(site)

    monkeypatch.setattr(Pip, "create", create)


_UV = Path(sys.executable).with_name("uv")


def _point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
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


def _environment(project: Project, installer: str = "uv", **options: object) -> LocalEnvironment:
    given = {"environment.installer": installer, **{f"environment.{key}": value for key, value in options.items()}}
    return LocalEnvironment.of(project, load_config(project, options=given, environ={}))


def _build(environment: LocalEnvironment) -> list[dict[str, Any]]:
    return [dict(step.apply(Words()) or {}) for step in environment.steps()]


def _refused(environment: LocalEnvironment, code: str) -> WorkFailedError:
    with pytest.raises(WorkFailedError) as caught:
        _build(environment)
    assert (caught.value.code, caught.value.exit_code) == (code, 1), caught.value.details
    assert str(environment.log) in caught.value.hint
    assert not environment.complete
    return caught.value


def _names(environment: LocalEnvironment) -> list[str]:
    found = inventory.installed(environment.path)
    return [str(package) for package in found if package.name not in ("pip", "setuptools")]


def _import(environment: LocalEnvironment, code: str) -> str:
    ran = subprocess.run([environment.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def _site(environment: LocalEnvironment) -> Path:
    found = inventory.site_packages(environment.path)
    assert found is not None
    return found


# Building


def test_uv_and_pip_build_the_same(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"), index.add("second", "2.1"))
    seen = []
    for installer in INSTALLERS:
        environment = _environment(made, installer)
        (facts,) = _build(environment)
        assert facts == {"path": str(environment.path), "packages": 2, "installer": installer}
        assert environment.complete
        assert environment.steps() == []
        guard(environment)
        seen.append((_names(environment), _import(environment, "import second; print(second.version)")))
        assert not list(environment.home.glob("*.txt"))
        shutil.rmtree(environment.path)
    assert seen == [(["first 1.0", "second 2.1"], "2.1")] * 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_person_sees_how_far_it_is(project: MakeProject, index: Index, installer: str) -> None:
    environment = _environment(project(index.add("first"), index.add("second")), installer)
    words = Words()
    environment.steps()[0].apply(words)
    assert ("2/2 second" if installer == "pip" else "2 packages with uv") in words.notes


def test_other_hashes_of_the_same_version_do_no_harm(project: MakeProject, index: Index) -> None:
    pin = index.add("first")
    made = project(Pin(pin.name, pin.version, hashes=(f"sha256:{'0' * 64}", *pin.hashes)))
    environment = _environment(made)
    _build(environment)
    assert _names(environment) == ["first 1.0"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_the_project_itself_is_installed_editable(project: MakeProject, index: Index, installer: str) -> None:
    """With poetry-core from the real environment, as in this very repo."""
    made = project(index.add("first"), name="mine", package=True)
    environment = _environment(made, installer)
    first, second = environment.steps()
    assert (first.key, second.key) == ("environment", "project")
    first.apply(Words())
    assert [step.key for step in environment.steps()] == ["project"]
    # No index has poetry-core here, so the backend is put there by hand; `isolated` follows the lock.
    import poetry.core

    (_site(environment) / "backend.pth").write_text(f"{Path(poetry.core.__file__).parents[2]}\n")
    choose(installer).editable(environment.path, made.root, isolated=False, log=environment.log, report=Words())
    (_site(environment) / "backend.pth").unlink()
    assert environment.steps() == []
    (made.root / "src" / "mine" / "__init__.py").write_text("edited = 1\n")
    assert _import(environment, "import mine; print(mine.edited)") == "1"


# Refused


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_file_with_another_hash_is_refused(project: MakeProject, index: Index, installer: str) -> None:
    index.add("first")
    wrong = Pin("first", hashes=(f"sha256:{'0' * 64}",))
    error = _refused(_environment(project(wrong), installer), "E_HASH")
    assert "poetry lock" in error.hint


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("version", ["none", "another"])
def test_what_the_index_does_not_have(project: MakeProject, index: Index, installer: str, version: str) -> None:
    if version == "another":
        index.add("first", "2.0")
    _refused(_environment(project(Pin("first", "1.0")), installer), "E_NOT_ON_INDEX")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("login", ["", "somebody:wr0ng-pa55word", "t0ken-without-a-name"])
def test_a_login_that_is_refused(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch, installer: str, login: str
) -> None:
    index.login = LOGIN
    _point(monkeypatch, index.url(login))
    environment = _environment(project(index.add("first")), installer)
    error = _refused(environment, "E_INDEX_AUTH")
    for secret in ("wr0ng-pa55word", "t0ken-without-a-name"):
        assert secret not in environment.log.read_text()
        assert secret not in str(error.as_dict())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_login_that_is_accepted_is_written_nowhere(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch, home: Path, installer: str
) -> None:
    index.login = LOGIN
    _point(monkeypatch, index.url(LOGIN))
    environment = _environment(project(index.add("first")), installer)
    _build(environment)
    assert _names(environment) == ["first 1.0"]
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
    _point(monkeypatch, f"http://{LOGIN}@127.0.0.1:{port}/simple")
    environment = _environment(project(index.add("first")), installer)
    error = _refused(environment, "E_INDEX_UNREACHABLE")
    secret = LOGIN.partition(":")[2]
    assert secret not in environment.log.read_text() + str(error.as_dict())


def test_a_python_that_is_none(project: MakeProject, index: Index, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    code = "import json, sys; from tests.small import probe"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}'\n")
    fake.chmod(0o755)
    with pytest.raises(PreflightError, match="not a Python"):
        _environment(project(index.add("first")), python=str(fake))


# Interrupted


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("installer", INSTALLERS)
def test_after_a_full_disk_the_next_run_succeeds(
    project: MakeProject, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    made = project(index.add("first"), index.add("heavy", payload=os.urandom(30_000_000)))
    # The virtualenv and pip fit, the package does not.
    with full_disk(tmp_path / "disk", size="28m") as disk:
        monkeypatch.setenv("XDG_DATA_HOME", str(disk))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        _refused(_environment(made, installer), "E_DISK_FULL")
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        environment = _environment(made, installer)
        _build(environment)
        assert _names(environment) == ["first 1.0", "heavy 1.0"]


BUILD = """
import sys
from pathlib import Path
from onaiml_cli.environment.build import main
sys.exit(main(Path(sys.argv[1])))
"""


def _start_build(project: Project, installer: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "ONAIML_ENVIRONMENT_INSTALLER": installer}
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(project.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )


def _running(environment: LocalEnvironment) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(environment.path) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_killed_build_is_never_taken_for_a_whole_one(project: MakeProject, index: Index, installer: str) -> None:
    made = project(index.add("first"), index.add("second"))
    environment = _environment(made, installer)
    index.gate.clear()
    with _start_build(made, installer) as killed:
        assert index.asked.wait(60)
        killed.kill()
        killed.wait(30)
    assert environment.path.is_dir()
    assert not environment.complete
    assert environment.difference() is None
    with pytest.raises(DriftError, match="not built"):
        guard(environment)
    # The orphaned installer still waits for its answer: it must not write into what the next run builds.
    orphans = _running(environment)
    assert orphans
    index.asked.clear()
    with _start_build(made, installer) as again:
        assert index.asked.wait(60)
        assert not any(orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE for orphan in orphans)
        index.gate.set()
        out, err = again.communicate(timeout=60)
    assert (again.returncode, out.strip()) == (0, str(environment.path)), err
    assert _names(environment) == ["first 1.0", "second 1.0"]
    assert _running(environment) == []
    assert sorted(entry.name for entry in environment.home.iterdir()) == [environment.path.name]


@pytest.mark.parametrize("installer", INSTALLERS)
def test_ctrl_c_ends_the_installer_too(project: MakeProject, index: Index, installer: str) -> None:
    made = project(index.add("first"))
    environment = _environment(made, installer)
    index.gate.clear()
    with _start_build(made, installer) as stopped:
        assert index.asked.wait(60)
        stopped.send_signal(signal.SIGINT)
        out, err = stopped.communicate(timeout=60)
    assert (stopped.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert "Stopped" in err
    assert _running(environment) == []
    assert not environment.complete


def test_two_builds_at_once_make_one_environment(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"))
    index.gate.clear()
    with _start_build(made, "uv") as one:
        assert index.asked.wait(60)
        with _start_build(made, "uv") as two:
            assert two.stderr is not None
            seen = iter(two.stderr.readline, "")
            assert any("Build the environment" in line for line in seen)
            index.gate.set()
            assert one.communicate(timeout=60)[0] == two.communicate(timeout=60)[0]
            assert (one.returncode, two.returncode) == (0, 0)


# Drift


@pytest.fixture(params=INSTALLERS)
def built(project: MakeProject, index: Index, quick: None, request: pytest.FixtureRequest) -> LocalEnvironment:
    environment = _environment(project(index.add("first"), index.add("second"), index.add("third")), request.param)
    index.add("first", "2.0")
    index.add("other")
    _build(environment)
    return environment


def _by_hand(environment: LocalEnvironment, *words: str) -> None:
    """What a person does in an environment, with whichever tool."""
    ran = subprocess.run(
        [_UV, "pip", *words, "--python", environment.python], capture_output=True, text=True, check=False
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
    assert _names(built) == ["first 1.0", "second 1.0", "third 1.0"]
    assert built.steps() == []
    assert _import(built, "import first, second; print(first.version)") == "1.0"


def test_an_interrupted_uninstall_is_mended(built: LocalEnvironment) -> None:
    site = _site(built)
    (site / "first-1.0.dist-info" / "METADATA").unlink()
    (site / "first" / "__init__.py").unlink()
    (site / "second-1.0.dist-info").rename(site / "~econd-1.0.dist-info")
    (step,) = built.steps()
    step.apply(Words())
    assert built.steps() == []
    assert _import(built, "import first, second; print(first.version, second.version)") == "1.0 1.0"


def test_two_versions_side_by_side_are_mended(built: LocalEnvironment) -> None:
    site = _site(built)
    shutil.copytree(site / "first-1.0.dist-info", site / "first-2.0.dist-info")
    metadata = site / "first-2.0.dist-info" / "METADATA"
    # uv installs hard links into its cache: replace the file, do not write through it.
    text = metadata.read_text().replace("1.0", "2.0")
    metadata.unlink()
    metadata.write_text(text)
    (step,) = built.steps()
    step.apply(Words())
    assert built.steps() == []
    assert _names(built) == ["first 1.0", "second 1.0", "third 1.0"]
    assert _import(built, "import first; print(first.version)") == "1.0"


def test_a_mend_that_fails_is_followed_by_a_build(
    built: LocalEnvironment, index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _by_hand(built, "uninstall", "second")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "other-cache"))
    index.login = LOGIN
    with pytest.raises(WorkFailedError):
        _build(built)
    assert not built.complete
    index.login = ""
    assert built.steps()[0].text.startswith("Build the environment")
    _build(built)
    guard(built)


def test_a_dangling_interpreter_is_seen(built: LocalEnvironment) -> None:
    """As after an upgrade of the system's Python."""
    built.python.unlink()
    built.python.symlink_to("/nowhere/python3")
    assert not built.complete
    _build(built)
    assert _names(built) == ["first 1.0", "second 1.0", "third 1.0"]


@pytest.mark.parametrize("content", ["", "[]", "3", "null", '{"fingerprint": 3}', '{"fingerprint": "other"}'])
def test_a_spoilt_stamp_is_no_stamp(project: MakeProject, index: Index, content: str) -> None:
    environment = _environment(project(index.add("first")))
    _build(environment)
    (environment.path / STAMP).write_text(content)
    assert not environment.complete
    assert environment.steps()[0].text.startswith("Build")


def test_the_environment_under_a_running_command_is_not_rebuilt(
    project: MakeProject, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = _environment(project(index.add("first")))
    monkeypatch.setattr(sys, "prefix", str(environment.path))
    with pytest.raises(PreflightError) as caught:
        environment.steps()
    assert caught.value.code == "E_OWN_FLOOR"


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
        built.append(_environment(made))
        _build(built[-1])
        _aged(built[-1], 1000 - number)
    return _locked(made, pins[2]), built


def test_old_environments_are_forgotten_but_the_last_one(project: MakeProject, index: Index) -> None:
    made, (oldest, older) = _three(project, index)
    newest = _environment(made)
    _build(newest)
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
        _build(_environment(made))
        assert oldest.complete
        assert kernel.communicate(timeout=30)[0] == "1.0\n"


def test_what_was_left_half_built_or_half_removed_goes_first(project: MakeProject, index: Index) -> None:
    made, (oldest, older) = _three(project, index)
    shutil.rmtree(oldest.path)
    for name in ("0123456789ab", ".ba9876543210.removed-1"):
        (oldest.home / name / "lib").mkdir(parents=True)
    newest = _environment(made)
    _build(newest)
    assert sorted(entry.name for entry in newest.home.iterdir()) == sorted([older.path.name, newest.path.name])


def test_an_old_environment_that_cannot_be_removed_does_not_spoil_the_new_one(
    project: MakeProject, index: Index
) -> None:
    made, (oldest, _) = _three(project, index)
    with full_disk(oldest.path / "busy", size="64k"):
        newest = _environment(made)
        _build(newest)
        assert newest.complete
        guard(virtualenv(made, newest.config))


def test_going_back_to_an_old_lock_costs_nothing(project: MakeProject, index: Index) -> None:
    made, (_, older) = _three(project, index)
    _build(_environment(made))
    back = _environment(_locked(made, index.add("first", "2.0")))
    assert back.path == older.path
    assert back.steps() == []


def test_environments_lie_outside_of_the_repo_and_are_private(project: MakeProject, index: Index) -> None:
    made = project(index.add("first"))
    environment = _environment(made)
    _build(environment)
    assert data_home() in environment.path.parents
    assert made.root not in environment.path.parents
    assert environment.home.stat().st_mode & 0o077 == 0
    assert environment.log.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("quick")
def test_nothing_of_an_installer_is_left_running(project: MakeProject, index: Index) -> None:
    environment = _environment(project(index.add("first")), "pip")
    _build(environment)
    assert wait_until(lambda: not _running(environment) or None, clock=SystemClock(), timeout=10)
