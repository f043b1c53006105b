"""Reading poetry.lock without Poetry, to the same answers as Poetry's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from onaiml_cli.core.errors import LockError
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.environment.lock import Lock, check_fresh, lock_bytes, normalise, parse, requirements
from tests.conftest import MakeProject
from tests.small import Pin, lock_text

HERE = Path(__file__).parent
REPO = HERE.parents[2]

LINUX = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.1",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.1",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "sys_platform": "linux",
}
NEWER = {"python_version": "3.13", "python_full_version": "3.13.1", "implementation_version": "3.13.1"}
TARGETS = {
    "linux-3.11": LINUX,
    "linux-arm-3.13": {**LINUX, **NEWER, "platform_machine": "aarch64"},
    "mac-3.12": {
        **LINUX,
        "python_version": "3.12",
        "python_full_version": "3.12.1",
        "implementation_version": "3.12.1",
        "platform_machine": "arm64",
        "platform_system": "Darwin",
        "sys_platform": "darwin",
    },
    "windows-3.11": {
        **LINUX,
        "platform_machine": "AMD64",
        "platform_system": "Windows",
        "sys_platform": "win32",
        "os_name": "nt",
    },
}
CHOICES: dict[str, tuple[list[str], list[str]]] = {
    "workspace": (["ml", "spark", "notebook"], ["test", "lint", "docs"]),
    "bare": ([], []),
    "train": (["train"], []),
    "all_test": (["all"], ["test"]),
    "spark_docs": (["spark"], ["docs"]),
}


def _lock(*pins: Pin, extras: tuple[str, ...] = ("a", "b"), version: str = "2.1") -> Lock:
    return parse(lock_text(*pins, extras={name: [] for name in extras}, version=version).encode())


def _chosen(lock: Lock, *extras: str, groups: tuple[str, ...] = (), markers: dict[str, str] = LINUX) -> list[str]:
    return [package.name for package in lock.select(extras=extras, groups=groups, markers=markers)]


# The answers of Poetry


def test_this_repos_lock_holds_what_the_workspace_needs() -> None:
    project = load_project(REPO)
    content = lock_bytes(project)
    check_fresh(project, content)
    chosen = parse(content).select(
        extras=["ml", "spark", "notebook"], groups=["test", "lint", "docs"], markers=TARGETS["linux-3.11"]
    )
    names = {package.name for package in chosen}
    assert {"pyspark", "jupyterlab", "pytest", "ruff", "uv", "mkdocs-material", "typer", "poetry-core"} <= names
    assert not {"torch", "triton", "pywin32", "onaiml"} & names
    assert len(chosen) == len(names)
    assert requirements(chosen).count("\n") == len(chosen)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("choice", CHOICES)
def test_the_selection_is_that_of_poetry_export(choice: str, target: str) -> None:
    """golden.json was made with Poetry 2.5.1 and its export plugin 1.10."""
    golden: dict[str, str] = json.loads((HERE / "golden.json").read_text())
    lock = parse((HERE / "golden.lock").read_bytes())
    extras, groups = CHOICES[choice]
    found = _chosen(lock, *extras, groups=tuple(groups), markers=TARGETS[target])
    assert found == golden[f"{choice} {target}"].split()


def _poetry() -> str:
    found = os.environ.get("ONAIML_TEST_POETRY") or shutil.which("poetry")
    if not found:
        pytest.skip("Poetry is not here; set ONAIML_TEST_POETRY to compare with it")
    return found


def test_poetry_itself_agrees_about_a_fresh_and_a_stale_lock(tmp_path: Path) -> None:
    poetry = _poetry()
    for name in ("pyproject.toml", "poetry.lock", "README.md", "LICENSE"):
        shutil.copy(REPO / name, tmp_path / name)
    for text in ("", '[tool.poetry.group.more.dependencies]\nsix = "*"\n'):
        with (tmp_path / "pyproject.toml").open("a") as file:
            file.write(text)
        theirs = subprocess.run([poetry, "check", "--lock"], cwd=tmp_path, capture_output=True, check=False)
        project = load_project(tmp_path)
        try:
            check_fresh(project, lock_bytes(project))
            ours = True
        except LockError:
            ours = False
        # Warnings (deprecated keys) do not count; a stale lock is an error.
        assert ours == (b"changed significantly" not in theirs.stderr + theirs.stdout)
        assert ours == (text == "")


def test_poetry_itself_exports_the_same_packages(tmp_path: Path) -> None:
    from packaging.requirements import Requirement

    poetry = _poetry()
    for name in ("pyproject.toml", "poetry.lock", "README.md", "LICENSE"):
        shutil.copy(REPO / name, tmp_path / name)
    if subprocess.run([poetry, "export", "--help"], cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("Poetry's export plugin is not installed")
    lock = parse((REPO / "poetry.lock").read_bytes())
    for extras, groups in CHOICES.values():
        words = [poetry, "export", "--without-hashes", "--output", "out.txt"]
        words += [f"--extras={extra}" for extra in extras] + [f"--with={group}" for group in groups]
        subprocess.run(words, cwd=tmp_path, capture_output=True, check=True)
        wanted = [Requirement(line) for line in (tmp_path / "out.txt").read_text().splitlines()]
        for markers in TARGETS.values():
            theirs = {
                f"{want.name}{want.specifier}"
                for want in wanted
                if want.marker is None or want.marker.evaluate({**markers, "extra": ""})
            }
            ours = lock.select(extras=extras, groups=groups, markers=markers)
            assert {f"{package.name}=={package.version}" for package in ours} == theirs


# Markers and extras


def test_a_marker_for_all_groups_and_one_for_each() -> None:
    lock = _lock(
        Pin("everywhere"),
        Pin("windows", markers='sys_platform == "win32"'),
        Pin("split", groups=("main", "test"), markers={"main": 'extra == "a"', "test": 'sys_platform == "win32"'}),
        Pin("half", groups=("main", "test"), markers={"main": 'extra == "a"'}),
    )
    windows = TARGETS["windows-3.11"]
    assert _chosen(lock) == ["everywhere"]
    assert _chosen(lock, "a") == ["everywhere", "half", "split"]
    assert _chosen(lock, groups=("test",)) == ["everywhere", "half"]
    assert _chosen(lock, groups=("test",), markers=windows) == ["everywhere", "half", "split", "windows"]


@pytest.mark.parametrize(
    ("marker", "extras", "holds"),
    [
        ('extra == "a" and extra != "b"', [], False),
        ('extra == "a" and extra != "b"', ["a"], True),
        ('extra == "a" and extra != "b"', ["a", "b"], False),
        ('extra == "a" and extra == "b"', ["a"], False),
        ('extra == "a" and extra == "b"', ["b", "a"], True),
        ('extra == "a" or extra == "b"', ["b"], True),
        ('extra != "a"', ["b"], True),
        ('extra != "a"', ["a", "b"], False),
        ('"a" == extra', ["a"], True),
        ('"a" != extra', ["a"], False),
        ("extra=='a'", ["a"], True),
        ('extra == "A"', ["a"], True),
        ('(extra == "a" or extra == "b") and sys_platform == "win32"', ["a", "b"], False),
        ('python_version < "3.12" and extra == "a"', ["a"], True),
        ('python_version < "3.9" or extra == "a"', [], False),
    ],
)
def test_extras_are_a_set(marker: str, extras: list[str], holds: bool) -> None:
    assert _chosen(_lock(Pin("x", markers=marker)), *extras) == (["x"] if holds else [])


def test_names_are_compared_in_their_normal_form() -> None:
    lock = _lock(
        Pin("My_Package", groups=("Test_Group",)), Pin("x", markers='extra == "my_extra"'), extras=("My_Extra",)
    )
    assert lock.packages[0].name == "my-package"
    assert _chosen(lock, "MY-extra", groups=("test-group",)) == ["my-package", "x"]
    assert normalise("A.-_b") == "a-b"


@pytest.mark.parametrize(
    ("extras", "groups", "words"),
    [
        (["zzz"], [], "The lock has no extra `zzz`; it has a, b."),
        ([], ["zzz"], "The lock has no group `zzz`; it has main, test."),
    ],
)
def test_what_the_lock_does_not_know_is_named(extras: list[str], groups: list[str], words: str) -> None:
    lock = _lock(Pin("x", groups=("main", "test")))
    with pytest.raises(LockError) as caught:
        lock.select(extras=extras, groups=groups, markers=LINUX)
    assert (caught.value.message, caught.value.code) == (words, "E_LOCK_SELECTION")


def test_an_empty_lock_is_a_lock() -> None:
    assert _chosen(parse(lock_text().encode())) == []


@pytest.mark.parametrize("marker", ["what?", 'nothing == "x"', "python_version >=", "(", 'extra == "a" and'])
def test_a_marker_that_is_none_is_a_broken_lock(marker: str) -> None:
    with pytest.raises(LockError) as caught:
        _chosen(_lock(Pin("culprit", markers=marker)))
    assert caught.value.code == "E_LOCK_BROKEN"
    assert "culprit" in caught.value.message


# Broken locks


@pytest.mark.parametrize("version", ["1.1", "2.0", "3.0", "4.2", "2"])
def test_another_version_is_refused_with_the_way_out(version: str) -> None:
    with pytest.raises(LockError) as caught:
        _lock(version=version)
    assert caught.value.code == "E_LOCK_VERSION"
    assert version in caught.value.message
    assert "poetry lock" in caught.value.hint


def test_a_later_2_x_is_read() -> None:
    assert _chosen(_lock(Pin("x"), version="2.2")) == ["x"]


SENSELESS = [
    b"package = 3",
    b"package = [3]",
    b'package = [{name = "a"}]',
    b'package = [{name = "a", version = "1", groups = ["main"], files = [3]}]',
    b'package = [{name = 3, version = "1", groups = ["main"], files = []}]',
    b'package = [{name = "a", version = "1", groups = ["main"], files = [], markers = 3}]',
    b'package = [{name = "a", version = "1", groups = ["main"], files = [], markers = {main = 3}}]',
    b'package = [{name = "a", version = "1", groups = [], files = [], source = 3}]',
    b"extras = [3]",
]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[[package]]\n",
        b"metadata = 3\n",
        b"[metadata]\n",
        b'[metadata]\nlock-version = "x"\n',
        b"[metadata]\nlock-version = []\n",
        *(line + b'\n[metadata]\nlock-version = "2.1"\n' for line in SENSELESS),
        b"\xff\xfe",
        b"<<<<<<< HEAD\n",
        b"a = " + b"[" * 5000,
    ],
)
def test_a_broken_lock_is_a_lock_error(content: bytes) -> None:
    with pytest.raises(LockError) as caught:
        _chosen(parse(content))
    assert caught.value.code == "E_LOCK_BROKEN"
    assert "poetry lock" in caught.value.hint


def test_no_lock_and_an_unreadable_one(tmp_path: Path) -> None:
    project = Project(tmp_path, "small", "1", {})
    with pytest.raises(LockError) as caught:
        lock_bytes(project)
    assert caught.value.code == "E_LOCK_MISSING"
    assert caught.value.message.startswith("small has no poetry.lock")
    project.lock_path.mkdir()
    with pytest.raises(LockError) as caught:
        lock_bytes(project)
    assert caught.value.code == "E_LOCK_BROKEN"


# Fresh or stale


# What Poetry 2.5.1 computes for each pyproject.toml, and what Poetry before 2.3 did.
EMPTY = "115cf985d932e9bf5f540555bbdd75decbb62cac81e399375fc19f6277f8c1d8"
GOLDEN_HASHES = {
    ('[tool.poetry]\nname = "a"\n[tool.poetry.dependencies]\npython = "^3.11"\nsix = "*"\n'): (
        "1b762626410e55c45723fba90400e238319b0b1d1b528e6b290787fb83315758",
    ),
    (
        "[tool.poetry.dependencies]\n"
        'python = "^3.11"\n'
        "[tool.poetry.group.test.dependencies]\n"
        'six = "*"\n'
        "[tool.poetry.extras]\n"
        'x = ["six"]\n'
    ): ("e5217add8df8adda1ce46f4f79918e263db800f263be228984fdb7ddb22d8fe7",),
    ('[project]\nname = "a"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'): (
        "6413cd2fa5880dd43e0940caf04aaae3dc4e613492c87bca64edde6364e3790b",
    ),
    ('[project]\nname = "a"\nversion = "1"\n[tool.poetry.dependencies]\nsix = "*"\n'): (
        "a9cca988c9796d10e5e7f2613293a5a632cdff0a8b5b23c705d58a08492f3a1f",
    ),
    (
        "[project]\n"
        'name = "a"\n'
        'requires-python = ">=3.11"\n'
        "[dependency-groups]\n"
        'test = ["six", {include-group = "x"}]\n'
        "x = []\n"
    ): (
        "f730e7cb0148ad0d38be85549f8f52f712b798cfd46895b03c0932b8d5c93565",
        "dc7d249c43736b4dc5c67d29d4918f1ddf6778b40ca2b95bc8536b20175944eb",
    ),
    ('[project]\nname = "a"\n[dependency-groups]\ntest = ["six"]\n'): (
        "fa0818979c7a10bd2b8a1efa5910250521272b063a908d0a38ed6da4b503d5eb",
        EMPTY,
    ),
    (
        "[project]\n"
        'requires-python = ">=3.11"\n'
        "[project.optional-dependencies]\n"
        'x = ["six>=1"]\n'
        "[tool.poetry.group.test.dependencies]\n"
        'six = "*"\n'
        "[[tool.poetry.source]]\n"
        'name = "p"\n'
        'url = "https://example.invalid"\n'
    ): ("31853991a02018b400513ec6ad39038d49e386dfcb2caa580a7d1f91aeeadfa1",),
    '[tool.poetry.dev-dependencies]\nsix = "*"\n': (
        "ea36ecbfbfd38599e553eec2be827a1a91e013afcf0e83433c1b37754090144c",
    ),
    "": (EMPTY,),
}


@pytest.mark.parametrize(("text", "hashes"), GOLDEN_HASHES.items())
def test_the_content_hash_is_poetrys(tmp_path: Path, text: str, hashes: tuple[str, ...]) -> None:
    project = Project(tmp_path, "small", "1", tomllib.loads(text))
    for value in hashes:
        check_fresh(project, lock_text(hashed=value).encode())
    with pytest.raises(LockError) as caught:
        check_fresh(project, lock_text(hashed="0" * 64).encode())
    assert (caught.value.code, "poetry lock" in caught.value.hint) == ("E_LOCK_STALE", True)


@pytest.mark.parametrize("text", ["project = 3\n", "[tool]\npoetry = 3\n", "tool = 3\n", "dependency-groups = 3\n"])
def test_a_senseless_pyproject_is_stale_and_no_crash(tmp_path: Path, text: str) -> None:
    with pytest.raises(LockError, match="does not match"):
        check_fresh(Project(tmp_path, "small", "1", tomllib.loads(text)), lock_text(hashed="1" * 64).encode())


def test_a_changed_dependency_makes_the_lock_stale_and_a_changed_version_does_not(project: MakeProject) -> None:
    made = project(Pin("six"))
    check_fresh(made, lock_bytes(made))
    changed: dict[str, Any] = {**made.pyproject, "project": {**made.pyproject["project"], "version": "9"}}
    check_fresh(Project(made.root, made.name, "9", changed), lock_bytes(made))
    changed["project"]["dependencies"] = ["six"]
    with pytest.raises(LockError, match="does not match"):
        check_fresh(Project(made.root, made.name, "9", changed), lock_bytes(made))


@pytest.mark.parametrize("line", ["", 'content-hash = "12"\n', "content-hash = 3\n"])
def test_a_lock_without_a_content_hash_is_broken(project: MakeProject, line: str) -> None:
    made = project()
    text = "".join(part for part in lock_text().splitlines(True) if not part.startswith("content-hash")) + line
    with pytest.raises(LockError) as caught:
        check_fresh(made, text.encode())
    assert caught.value.code == "E_LOCK_BROKEN"


# The requirements file


def test_each_requirement_has_all_its_hashes() -> None:
    lock = _lock(Pin("b", hashes=("sha256:2", "sha256:1")), Pin("a", "2+cpu", hashes=("sha256:3",)))
    chosen = lock.select(extras=(), groups=(), markers=LINUX)
    assert requirements(chosen) == "a==2+cpu --hash=sha256:3\nb==1.0 --hash=sha256:1 --hash=sha256:2\n"


@pytest.mark.parametrize(
    "source",
    [
        '[package.source]\ntype = "git"\nurl = "https://example.invalid/x.git"\nreference = "main"\n',
        '[package.source]\ntype = "directory"\nurl = "../x"\n',
    ],
)
def test_what_cannot_be_verified_is_refused(source: str) -> None:
    lock = _lock(Pin("a", source=source))
    with pytest.raises(LockError) as caught:
        requirements(lock.packages)
    assert caught.value.code == "E_LOCK_HASH"
    assert "a 1.0" in caught.value.message


def test_a_private_index_is_as_good_as_any() -> None:
    source = '[package.source]\ntype = "legacy"\nurl = "https://example.invalid/simple"\nreference = "p"\n'
    assert requirements(_lock(Pin("a", source=source, hashes=("sha256:1",))).packages) == "a==1.0 --hash=sha256:1\n"
