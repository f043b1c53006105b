"""What is shipped: the wheel and the sdist, built twice, looked into, and installed where there is nothing else."""

from __future__ import annotations

import email.message
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from onaiml_cli import __version__
from onaiml_cli.core.config import load_config
from onaiml_cli.core.project import load_project
from onaiml_cli.environment.lock import parse, requirements
from onaiml_cli.environment.select import interpreter
from tests.conftest import MakeProject
from tests.small import Pin

REPO = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
# A person must not wait for a gigabyte to see --help.
LARGEST_BASE_INSTALL = 130 * 1024 * 1024


def _run(*words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """The output of a command that has to work."""
    command = [str(word) for word in words]
    environ = {**os.environ, **(env or {})}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environ, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _copy_of_sources(target: Path) -> Path:
    """What is shipped, without what was built here; a copy, so that nobody edits it between two builds."""
    target.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(REPO / name, target / name)
    for name in ("src", "templates"):
        shutil.copytree(REPO / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
    return target


@dataclass(frozen=True)
class Built:
    wheel: Path
    sdist: Path

    @property
    def wheel_names(self) -> list[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    @property
    def sdist_names(self) -> list[str]:
        with tarfile.open(self.sdist) as archive:
            return [name.partition("/")[2] for name in archive.getnames()]

    def metadata(self) -> email.message.Message:
        with zipfile.ZipFile(self.wheel) as archive:
            return email.message_from_bytes(archive.read(f"onaiml-{__version__}.dist-info/METADATA"))


def _build(source: Path, out: Path) -> Built:
    """Both, with the build backend of this very environment."""
    _run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", out, source)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _copy_of_sources(tmp_path_factory.mktemp("first") / "onaiml")


@pytest.fixture(scope="module")
def built(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return _build(sources, tmp_path_factory.mktemp("dist"))


# Contents


def test_the_wheel_holds_the_command_line_the_library_and_the_templates(built: Built, sources: Path) -> None:
    assert built.wheel.name == f"onaiml-{__version__}-py3-none-any.whl"
    names = set(built.wheel_names)
    info = f"onaiml-{__version__}.dist-info"
    wanted = {f"{info}/METADATA", f"{info}/RECORD", f"{info}/WHEEL", f"{info}/entry_points.txt"}
    wanted |= {f"{info}/licenses/LICENSE", "onaiml_cli/py.typed", "onai/ml/py.typed"}
    wanted |= {f"onaiml_cli/{path.relative_to(sources)}" for path in sources.glob("templates/**/*") if path.is_file()}
    for package in ("onaiml_cli", "onai"):
        wanted |= {str(path.relative_to(sources / "src")) for path in (sources / "src" / package).rglob("*.py")}
    assert wanted <= names
    assert "onaiml_cli/templates/kernels/pyspark_startup.py" in names
    # `onai` is a namespace: another distribution may add to it.
    assert "onai/__init__.py" not in names
    assert {name.split("/")[0] for name in names} == {"onaiml_cli", "onai", info}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_sdist_can_be_built_from_and_holds_no_tests(built: Built) -> None:
    assert built.sdist.name == f"onaiml-{__version__}.tar.gz"
    names = set(built.sdist_names)
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", "src/onaiml_cli/py.typed"} <= names
    assert "templates/kernels/pyspark_startup.py" in names
    assert "src/onai/__init__.py" not in names
    assert not [name for name in names if name.startswith(("tests", "testbed", ".ci", "docs", "notebooks"))]


def test_the_metadata_says_what_a_person_needs(built: Built) -> None:
    metadata = built.metadata()
    assert (metadata["Name"], metadata["Version"]) == ("onaiml", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11,<3.14"
    assert metadata["Summary"]
    assert set(metadata.get_all("Provides-Extra", [])) == {"ml", "spark", "train", "notebook", "all"}
    base = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {line.split(" ")[0].split("(")[0].split(">")[0] for line in base}
    assert not {"pyspark", "torch", "pandas", "numpy", "jupyterlab", "pyarrow", "pydantic"} & names
    assert {"typer", "rich", "packaging", "psutil"} <= names


def test_the_entry_point_is_the_command_line(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        text = archive.read(f"onaiml-{__version__}.dist-info/entry_points.txt").decode()
    assert text.strip() == "[console_scripts]\nonaiml=onaiml_cli.__main__:main"


def test_no_path_of_this_machine_is_shipped(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            for word in (str(REPO).encode() + b"/", str(Path(sys.prefix)).encode(), sys.prefix.encode()):
                assert word not in content, name


def test_building_twice_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """From another folder, with other times and rights, in another zone."""
    other = _copy_of_sources(tmp_path / "elsewhere" / "other-name")
    for number, path in enumerate(sorted(other.rglob("*"))):
        os.utime(path, (1_000_000_000 + number, 1_500_000_000 + number))
    out = tmp_path / "dist"
    words = ("-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", out, other)
    _run(sys.executable, *words, env={"TZ": "Asia/Tokyo", "USER": "other", "PYTHONHASHSEED": "5"})
    assert next(out.glob("*.whl")).read_bytes() == built.wheel.read_bytes()
    assert next(out.glob("*.tar.gz")).read_bytes() == built.sdist.read_bytes()


# Installed


@dataclass(frozen=True)
class Installed:
    venv: Path

    def onaiml(self, *words: str, cwd: Path) -> str:
        return _run(self.venv / "bin" / "onaiml", *words, cwd=cwd, env={"PYTHONWARNINGS": "error"})

    def python(self, *words: str, cwd: Path) -> str:
        return _run(self.venv / "bin" / "python", *words, cwd=cwd, env={"PYTHONWARNINGS": "error"})


@pytest.fixture(scope="module")
def base_requirements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lock holds for a person who asked for no extra."""
    project = load_project(REPO)
    markers = interpreter(load_config(project, environ={})).markers
    chosen = parse(project.lock_path.read_bytes()).select(extras=(), groups=(), markers=markers)
    path = tmp_path_factory.mktemp("base") / "requirements.txt"
    path.write_text(requirements(chosen))
    return path


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(
    built: Built, base_requirements: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """The distribution and its base dependencies in a virtualenv that held nothing."""
    venv = tmp_path_factory.mktemp(request.param) / "venv"
    _run(UV, "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    install = [str(UV), "pip", "install", "--quiet", "--no-config", "--python", str(venv)]
    pinned = [*install, "--no-deps", "--require-hashes", "-r", str(base_requirements)]
    # The environment of these tests was made of the same files, so the cache mostly has them.
    if subprocess.run([*pinned, "--offline"], capture_output=True, check=False).returncode:
        _run(*pinned)
    if request.param == "wheel":
        _run(*install, "--no-deps", "--offline", built.wheel)
    else:
        # poetry-core is a base dependency, so the sdist's backend is already there.
        _run(*install, "--no-deps", "--offline", "--no-build-isolation", built.sdist)
    return Installed(venv)


def test_every_dependency_is_there_and_fits(installed: Installed) -> None:
    _run(UV, "pip", "check", "--python", installed.venv)


def test_the_base_install_is_small(installed: Installed) -> None:
    site = next(installed.venv.glob("lib/python3.*/site-packages"))
    sizes = {path: path.stat().st_size for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert sum(sizes.values()) <= LARGEST_BASE_INSTALL


def test_it_runs_from_anywhere(installed: Installed, tmp_path: Path) -> None:
    assert installed.onaiml("--version", cwd=tmp_path) == f"onaiml {__version__}\n"
    assert installed.python("-m", "onaiml_cli", "--version", cwd=tmp_path) == f"onaiml {__version__}\n"
    shown = installed.onaiml("--help", cwd=tmp_path)
    assert "onaiml" in shown
    assert "env" in shown


def test_its_templates_are_found(installed: Installed, tmp_path: Path) -> None:
    code = "from onaiml_cli.core.resources import template; print(template('kernels/pyspark_startup.py'))"
    path = Path(installed.python("-c", code, cwd=tmp_path).strip())
    assert path.is_file()
    assert installed.venv in path.parents


def test_every_module_of_the_command_line_can_be_imported(installed: Installed, tmp_path: Path) -> None:
    """With the base dependencies alone: no provider may need an extra to be looked at."""
    code = (
        "import importlib, pkgutil, onaiml_cli\n"
        "for found in pkgutil.walk_packages(onaiml_cli.__path__, 'onaiml_cli.'):\n"
        "    if not found.name.startswith('onaiml_cli.templates') and not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
    )
    installed.python("-c", code, cwd=tmp_path)


def test_it_plans_a_workspace_for_a_project_of_somebody_else(installed: Installed, project: MakeProject) -> None:
    made = project(Pin("jupyterlab", "4.4.0"), Pin("ipykernel", "6.29.0"))
    before = sorted(made.root.rglob("*"))
    installed.onaiml("env", "up", "--dry-run", "--yes", cwd=made.root)
    assert sorted(made.root.rglob("*")) == before


def test_a_missing_template_is_said(installed: Installed, tmp_path: Path) -> None:
    code = (
        "from onaiml_cli.core.resources import template\nfrom onaiml_cli.core.errors import LocalSystemError\n"
        "try:\n    template('nothing')\nexcept LocalSystemError as error:\n    print(error.hint)"
    )
    assert installed.python("-c", code, cwd=tmp_path) == "Install onaiml again.\n"


# The lock


def test_the_lock_names_no_index_and_no_mirror() -> None:
    text = (REPO / "poetry.lock").read_text()
    document = tomllib.loads(text)
    assert [package["name"] for package in document["package"] if "source" in package] == []
    assert "://" not in "".join(file["file"] for package in document["package"] for file in package["files"])
    assert "source" not in tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["poetry"]


def test_every_locked_file_has_a_strong_hash() -> None:
    document = tomllib.loads((REPO / "poetry.lock").read_text())
    hashes: list[str] = [file["hash"] for package in document["package"] for file in package["files"]]
    digits: Callable[[str], bool] = set("0123456789abcdef").issuperset
    assert hashes
    assert all(value.startswith("sha256:") and len(value) == 71 and digits(value[7:]) for value in hashes)
