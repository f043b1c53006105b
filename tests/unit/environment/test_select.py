"""From a project to the exact packages, read once for each lock."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from onaiml_cli.core.config import load_config
from onaiml_cli.core.errors import LockError, MissingToolError, PreflightError
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.core.state import state_home
from onaiml_cli.environment import lock as locks
from onaiml_cli.environment.base import Interpreter, Selection, own_interpreter
from onaiml_cli.environment.select import check_python, interpreter, requirements, select
from tests.conftest import MakeProject
from tests.small import Pin, content_hash, full_disk, lock_text


def _select(project: Project, **options: object) -> Selection:
    given = {f"environment.{name}": value for name, value in options.items()}
    return select(project, load_config(project, options=given, environ={}))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each lock that was parsed, in order."""
    sizes: list[int] = []
    parse = locks.parse

    def counting(content: bytes) -> locks.Lock:
        sizes.append(len(content))
        return parse(content)

    monkeypatch.setattr(locks, "parse", counting)
    return sizes


def test_the_second_time_nothing_is_parsed(project: MakeProject, parsed: list[int]) -> None:
    made = project(Pin("a"), Pin("b", markers='extra == "x"'), extras={"x": ["b"]})
    first = _select(made, extras=["x"])
    assert [str(package) for package in first.packages] == ["a 1.0", "b 1.0"]
    assert (first.extras, first.groups) == (("x",), ())
    again = _select(made, extras=["x"])
    assert again == first
    assert len(parsed) == 1


def test_what_was_asked_counts(project: MakeProject, parsed: list[int]) -> None:
    made = project(Pin("a"), Pin("b", markers='extra == "x"'), Pin("c", groups=("test",)), extras={"x": ["b"], "y": []})
    values = {
        _select(made).fingerprint,
        _select(made, extras=["x"]).fingerprint,
        _select(made, groups=["test"]).fingerprint,
        _select(made, extras=["x"], groups=["test"]).fingerprint,
    }
    assert len(values) == len(parsed) == 4
    # An extra that brings nothing, or another order, is the same environment.
    assert _select(made, extras=["y"]).fingerprint == _select(made).fingerprint
    assert _select(made, extras=["x", "y"]).fingerprint == _select(made, extras=["y", "x"]).fingerprint


def test_a_changed_lock_is_read_again(project: MakeProject, parsed: list[int]) -> None:
    before = _select(project(Pin("a")))
    after = _select(project(Pin("a", "2.0")))
    assert [str(package) for package in after.packages] == ["a 2.0"]
    assert before.fingerprint != after.fingerprint
    assert len(parsed) == 2
    assert _select(project(Pin("a"))) == before
    assert len(parsed) == 2


def test_two_clones_have_one_fingerprint(project: MakeProject) -> None:
    one, two = project(Pin("a"), folder="one"), project(Pin("a"), folder="two")
    assert _select(one).fingerprint == _select(two).fingerprint


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', '{"schema": 99}', '{"schema": 1, "packages": [1]}'])
def test_a_spoilt_memory_is_no_obstacle(project: MakeProject, content: str) -> None:
    made = project(Pin("a"))
    first = _select(made)
    (kept,) = (state_home() / "selections").glob("*.json")
    kept.write_text(content)
    assert _select(made) == first
    assert json.loads(kept.read_text())["fingerprint"] == first.fingerprint


def test_a_full_disk_is_no_obstacle_to_looking(
    project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(Pin("a"))
    with full_disk(tmp_path / "disk", size="64k") as disk:
        monkeypatch.setenv("XDG_STATE_HOME", str(disk))
        with pytest.raises(OSError, match="No space"):
            (disk / "ballast").write_bytes(b"x" * 1_000_000)
        assert [str(package) for package in _select(made).packages] == ["a 1.0"]


def test_the_memory_is_for_its_owner_only(project: MakeProject) -> None:
    _select(project(Pin("a")))
    (kept,) = (state_home() / "selections").glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0


def test_the_locks_faults_come_through(project: MakeProject) -> None:
    made = project(Pin("a"))
    with pytest.raises(LockError) as caught:
        _select(made, extras=["zzz"])
    assert caught.value.code == "E_LOCK_SELECTION"
    made.lock_path.write_text(lock_text(Pin("a")))
    with pytest.raises(LockError) as caught:
        _select(made)
    assert caught.value.code == "E_LOCK_STALE"
    made.lock_path.write_text(lock_text(version="2.0", hashed=content_hash(made.pyproject)))
    with pytest.raises(LockError) as caught:
        _select(made)
    assert caught.value.code == "E_LOCK_VERSION"


def test_the_requirements_of_a_selection(project: MakeProject) -> None:
    made = project(Pin("a", hashes=("sha256:1",)), Pin("b", groups=("test",)))
    assert requirements(made, _select(made)) == "a==1.0 --hash=sha256:1\n"


# The interpreter


def test_our_own_interpreter_and_the_same_one_by_its_path_answer_alike(project: MakeProject) -> None:
    made = project(Pin("a"))
    own = interpreter(load_config(made, environ={}))
    asked = interpreter(load_config(made, options={"environment.python": str(own_interpreter())}, environ={}))
    assert own.path == own_interpreter()
    assert own.version == asked.version == sys.version.split()[0]
    assert own.minor == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert own.platform == asked.platform == sysconfig.get_platform()
    assert {**own.markers} == {**asked.markers}
    assert _select(made).fingerprint == _select(made, python=str(own_interpreter())).fingerprint


def test_the_interpreter_is_the_one_behind_the_virtualenv() -> None:
    assert own_interpreter() == Path(os.path.realpath(own_interpreter()))
    assert Path(sys.prefix).resolve() not in own_interpreter().parents or sys.prefix == sys.base_prefix


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho no json\n", "#!/bin/sh\necho '{}'\n", ""])
def test_what_is_no_python_is_named(project: MakeProject, tmp_path: Path, text: str) -> None:
    fake = tmp_path / "fake-python"
    if text:
        fake.write_text(text)
        fake.chmod(0o755)
    with pytest.raises(MissingToolError, match="fake-python"):
        interpreter(load_config(project(), options={"environment.python": str(fake)}, environ={}))


@pytest.mark.parametrize(
    ("requires", "version", "fits"),
    [
        (">=3.11", "3.11.7", True),
        (">=3.11,<3.14", "3.14.0", False),
        (">=3.12", "3.11.7", False),
        (">=3.13", "3.14.0rc1", True),
        ("", "3.8.0", True),
        ("^3.11", "3.8.0", True),
        ("nonsense", "3.8.0", True),
    ],
)
def test_whether_a_python_fits_the_project(tmp_path: Path, requires: str, version: str, fits: bool) -> None:
    project = Project(tmp_path, "small", "1", {"project": {"requires-python": requires}})
    python = Interpreter(Path("/usr/bin/python3"), version, {})
    if fits:
        check_python(project, python)
        return
    with pytest.raises(PreflightError) as caught:
        check_python(project, python)
    assert caught.value.code == "E_PYTHON"
    assert caught.value.message == f"small needs Python {requires}; /usr/bin/python3 is {version}."


def test_the_project_is_asked_before_the_lock(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"\nrequires-python = ">=99"\n')
    with pytest.raises(PreflightError, match="needs Python >=99"):
        _select(load_project(tmp_path))
