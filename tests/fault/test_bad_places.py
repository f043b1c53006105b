"""`env up` where it cannot work: each place ends in one sentence with what to type next, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.workspaces import REPO, Person, copy_of_repo, own_data_home, words_of


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Somebody in a repo that holds nothing but its configuration and its lock."""
    root = tmp_path / "repo"
    root.mkdir()
    for name in ("pyproject.toml", "poetry.lock"):
        shutil.copy(REPO / name, root / name)
    someone = Person(root, tmp_path / "state", tmp_path / "data", {"HOME": str(tmp_path)})
    yield someone
    someone.end()


def _refused(person: Person, *words: str) -> dict[str, str]:
    """The error of a command, after a look at what a person reads: one sentence, one hint, no traceback."""
    told = person.type(*words)
    assert "Traceback" not in told.stderr
    assert told.stderr.splitlines()[-2].startswith("Error: ")
    assert told.stderr.splitlines()[-1].startswith("  → ")
    error: dict[str, str] = person.ask(*words)["error"]
    assert words_of(person.processes()) == ""
    return error


def test_no_lock(person: Person) -> None:
    (person.root / "poetry.lock").unlink()
    error = _refused(person, "env", "up", "--yes")
    assert error["code"] == "E_LOCK_MISSING"
    assert "`poetry lock`" in error["hint"]


def test_a_lock_that_does_not_match(person: Person) -> None:
    path = person.root / "pyproject.toml"
    path.write_text(path.read_text().replace('numpy = { version = ">=2"', 'numpy = { version = ">=2.1"'))
    assert _refused(person, "env", "up", "--yes")["code"] == "E_LOCK_STALE"
    # What needs no environment still works.
    assert person.ask("env", "status")["workspace"]["state"] == "down"
    assert person.ask("env", "down", "--yes")["ok"]


def test_a_lock_that_is_cut_off(person: Person) -> None:
    path = person.root / "poetry.lock"
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    assert _refused(person, "env", "up", "--yes")["code"] == "E_LOCK_BROKEN"


def test_a_broken_config_does_not_keep_a_workspace_from_being_ended(person: Person) -> None:
    (person.root / "onaiml.toml").write_text("[workspace\n")
    assert _refused(person, "env", "up", "--yes")["code"] == "E_TOML"
    ended = person.ask("env", "down", "--yes")
    assert ended["ok"]
    assert "The defaults are used." in ended["warnings"][0]


def test_a_lock_without_jupyterlab(person: Person) -> None:
    person.extra["ONAIML_ENVIRONMENT_EXTRAS"] = "ml"
    person.extra["ONAIML_ENVIRONMENT_GROUPS"] = "docs"
    error = _refused(person, "env", "up", "--yes")
    assert error["code"] == "E_NO_JUPYTER"
    assert "environment.extras" in error["hint"]


def test_an_extra_that_the_lock_does_not_know(person: Person) -> None:
    person.extra["ONAIML_ENVIRONMENT_EXTRAS"] = "ml,gpu"
    error = _refused(person, "env", "up", "--yes")
    assert error["code"] == "E_LOCK_SELECTION"
    assert "`gpu`" in error["message"]


def test_an_interpreter_that_is_none(person: Person) -> None:
    person.extra["ONAIML_ENVIRONMENT_PYTHON"] = "/bin/true"
    assert _refused(person, "env", "up", "--yes")["code"] == "E_TOOL"


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to take rights away or to mount a small disk")


@pytest.mark.parametrize("place", ["state", "config"])
def test_no_permission(person: Person, place: str) -> None:
    """A state folder that may not be written, a config that may not be read."""
    if place == "config":
        target = person.root / "onaiml.toml"
        target.write_text("[workspace]\nport = 9000\n")
        target.chmod(0)
    else:
        target = person.state
        target.mkdir(mode=0o500)
    # Root may read and write everything, unless that right is taken away.
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    words = [*drop, sys.executable, "-m", "onaiml_cli", "env", "up", "--yes", "--json"]
    answer = subprocess.run(words, cwd=person.root, env=person.environ, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    document = json.loads(answer.stdout)
    assert document["error"]["code"] == "E_PERMISSION", document
    assert str(target) in document["error"]["message"]
    assert "ls -l" in document["error"]["hint"]


@contextlib.contextmanager
def _tiny_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of `size` at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk (root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@as_root
def test_a_full_disk_for_the_state(person: Person) -> None:
    with _tiny_disk(person.state, "16k"):
        (person.state / "filler").write_bytes(b"x" * 8192)
        error = _refused(person, "env", "up", "--yes")
        assert error["code"] == "E_DISK_FULL"
        assert "df -h" in error["hint"]


@as_root
def test_a_disk_that_fills_while_the_environment_is_built(person: Person) -> None:
    with _tiny_disk(person.data, "60m"):
        error = person.ask("env", "up", "--yes")["error"]
        assert error["code"] == "E_DISK_FULL", error
        # What could not be finished is not taken for an environment.
        assert person.ask("test")["error"]["code"] == "E_NOT_BUILT"
    assert words_of(person.processes()) == ""


def test_ctrl_c_in_each_phase_of_a_first_up_is_continued_by_the_next(person: Person) -> None:
    person.root = copy_of_repo(person.root)
    person.warnings = "ignore"
    for line in ("· Build the environment", "· Install onaiml editable"):
        process = person.start("env", "up", "--yes", start_new_session=True)
        assert process.stderr is not None
        for said in process.stderr:
            if said.startswith(line):
                break
        # As a terminal does: to the command and to the installer that it runs.
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 130, rest
        assert "Traceback" not in rest
        assert "Run the same command again to go on." in rest
        assert words_of(person.processes()) == ""
    assert person.up()["workspace"]["state"] == "up"
    assert person.ask("env", "down", "--yes")["ok"]
    assert words_of(person.processes()) == ""


def test_it_works_in_a_folder_with_blanks_and_letters_of_the_world(tmp_path: Path) -> None:
    root = tmp_path / "Zoë's repo"
    root.mkdir()
    someone = Person(
        copy_of_repo(root), tmp_path / "her state", own_data_home(tmp_path / "data"), {"HOME": str(tmp_path)}
    )
    plan = someone.ask("env", "up", "--dry-run")
    assert plan["ok"]
    assert plan["plan"]["names"]["project"].endswith("Zoë's repo")
