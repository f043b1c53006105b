"""What a virtualenv holds, and how that differs from the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from onaiml_cli.environment.base import Difference, Package
from onaiml_cli.environment.inventory import compare, installed, site_packages


def _venv(root: Path, *folders: str, metadata: bool = True) -> Path:
    site = root / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True, exist_ok=True)
    for name in folders:
        (site / name).mkdir()
        if metadata:
            (site / name / "METADATA").write_text("")
    return root


def _found(venv: Path) -> list[str]:
    return [str(package) for package in installed(venv)]


def test_names_and_versions_come_from_the_folders_names(tmp_path: Path) -> None:
    folders = (
        "six-1.17.0.dist-info",
        "My_Pkg-1.0.dist-info",
        "ruamel.yaml-0.18.dist-info",
        "torch-2.9.0+cpu.dist-info",
    )
    assert _found(_venv(tmp_path, *folders, "old-name-with-dashes-2.0.dist-info")) == [
        "my-pkg 1.0",
        "old-name-with-dashes 2.0",
        "ruamel-yaml 0.18",
        "six 1.17.0",
        "torch 2.9.0+cpu",
    ]


def test_what_an_interrupted_uninstall_leaves_is_not_installed(tmp_path: Path) -> None:
    venv = _venv(tmp_path, "six-1.17.0.dist-info", metadata=False)
    # pip moves a distribution aside under such a name before it replaces it.
    _venv(venv, "~ix-1.16.0.dist-info", "~-x-1.dist-info")
    assert _found(venv) == []


def test_other_files_are_no_distributions(tmp_path: Path) -> None:
    venv = _venv(tmp_path, "six", "nothing.dist-info", "-1.dist-info")
    (venv / "lib/python3.11/site-packages/file-1.dist-info").write_text("")
    assert _found(venv) == []


def test_no_virtualenv(tmp_path: Path) -> None:
    assert site_packages(tmp_path / "none") is None
    assert _found(tmp_path / "none") == []


def _packages(*texts: str) -> list[Package]:
    return [Package(*text.split()) for text in texts]


def test_each_kind_of_difference() -> None:
    difference = compare(_packages("a 1", "b 1", "c 1"), _packages("b 2", "c 1", "d 1"))
    assert difference == Difference(
        missing=(Package("a", "1"),),
        changed=((Package("b", "1"), Package("b", "2")),),
        extra=(Package("d", "1"),),
    )
    assert difference.lines() == ["a 1 is missing", "b is 2, locked is 1", "d 1 is not in the lock"]
    assert difference.lines(limit=1) == ["a 1 is missing", "and 2 more"]
    assert difference.lines(limit=3)[-1] == "d 1 is not in the lock"


def test_the_same_is_no_difference() -> None:
    assert not compare(_packages("a 1"), _packages("a 1"))
    assert not compare([], [])


def test_what_each_virtualenv_brings_and_the_project_itself_do_not_count() -> None:
    found = _packages("pip 25", "setuptools 70", "wheel 1", "my-project 1")
    assert not compare([], found, ignore=["My_Project"])
    assert compare(_packages("pip 24"), _packages("pip 25")).changed
    assert compare(_packages("setuptools 70"), []).missing


@pytest.mark.parametrize(
    ("locked", "found", "same"),
    [
        ("2025.01", "2025.1", True),
        ("1.0", "1.0.0", True),
        ("1.0-1", "1.0.post1", True),
        ("1.0.post1", "1.0_1", True),
        ("2.9.0+cpu", "2.9.0+CPU", True),
        ("2.9.0+cpu", "2.9.0", False),
        ("1.0rc1", "1.0", False),
        ("1.0", "1.0a", False),
        ("strange", "1.0", False),
        ("strange", "strange", True),
    ],
)
def test_versions_are_compared_in_their_normal_form(locked: str, found: str, same: bool) -> None:
    assert bool(compare([Package("a", locked)], [Package("a", found)])) is not same


@pytest.mark.parametrize("order", [("1.0", "2.0"), ("2.0", "1.0")])
@pytest.mark.parametrize("locked", ["1.0", "2.0"])
def test_two_versions_side_by_side_are_never_the_same_as_one(order: tuple[str, str], locked: str) -> None:
    """An upgrade that was killed between two steps leaves both; which one is imported is chance."""
    difference = compare([Package("a", locked)], [Package("a", version) for version in order])
    assert difference.changed == ((Package("a", locked), Package("a", "2.0" if locked == "1.0" else "1.0")),)


def test_two_versions_of_what_is_not_locked_are_named_once_each() -> None:
    assert len(compare([], _packages("a 1", "a 2")).extra) == 2
