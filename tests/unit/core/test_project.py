"""Where a project begins, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from onaiml_cli.core.errors import ProjectError
from onaiml_cli.core.project import Project, find_root, load_project, read_toml


def _repo(root: Path, text: str = '[project]\nname = "small"\nversion = "1.2"\n') -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(text)
    return root


def test_the_root_is_found_from_any_depth(tmp_path: Path) -> None:
    root = _repo(tmp_path / "repo")
    deep = root / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep) == root
    assert find_root(root) == root


def test_the_nearest_marker_wins(tmp_path: Path) -> None:
    _repo(tmp_path / "outer")
    inner = tmp_path / "outer" / "inner"
    inner.mkdir()
    (inner / "onaiml.toml").write_text("")
    assert find_root(inner) == inner


def test_a_folder_of_a_markers_name_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    assert find_root(tmp_path) is None


def test_outside_of_a_project_the_error_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert caught.value.code == "E_PROJECT"
    assert str(tmp_path) in caught.value.message
    assert "onaiml init" in caught.value.hint


def test_two_clones_are_two_projects_and_a_link_is_the_same_one(tmp_path: Path) -> None:
    first, second = load_project(_repo(tmp_path / "one")), load_project(_repo(tmp_path / "two"))
    assert first.name == second.name
    assert first.identity != second.identity
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert load_project(tmp_path / "link").identity == first.identity


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ('[project]\nname = "a"\nversion = "1"\n', "a", "1"),
        ('[tool.poetry]\nname = "b"\nversion = "2"\n', "b", "2"),
        ('[project]\nname = "a"\n[tool.poetry]\nname = "b"\nversion = "2"\n', "a", "2"),
        ("[tool.onaiml]\n", "folder", "0"),
        ("", "folder", "0"),
        ("tool = 3\nproject = 4\n", "folder", "0"),
        ("[tool]\npoetry = 5\n", "folder", "0"),
    ],
)
def test_name_and_version(tmp_path: Path, text: str, name: str, version: str) -> None:
    project = load_project(_repo(tmp_path / "folder", text))
    assert (project.name, project.version) == (name, version)


def test_a_repo_with_only_onaiml_toml_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "onaiml.toml").write_text("")
    project = load_project(tmp_path)
    assert (project.name, project.pyproject, project.requires_python) == (tmp_path.name, {}, "")


@pytest.mark.parametrize(("name", "begin"), [("My Model!", "my-model-"), ("ünï", "n-"), ("...", "project-")])
def test_the_identity_can_be_a_file_name(tmp_path: Path, name: str, begin: str) -> None:
    identity = Project(tmp_path, name, "0", {}).identity
    assert identity.startswith(begin)
    assert len(identity) == len(begin) + 8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[project\n", "line 1"),
        (b'a = "1"\na = "2"\n', "not valid TOML"),
        (b"name = '\xff'\n", "not UTF-8 text (byte 8)"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_named_with_the_place(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        read_toml(path)
    assert caught.value.code == "E_TOML"
    assert words in caught.value.message
    assert str(path) in caught.value.hint
