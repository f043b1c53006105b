"""Fixtures with real processes behind them."""

from __future__ import annotations

import ensurepip
import os
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onaiml_cli.core.plan import Reporter
from onaiml_cli.environment import inventory
from onaiml_cli.environment.install import Pip, Uv
from tests.contract.index import Index, serving
from tests.contract.installs import UV, point
from tests.contract.workspaces import REPO, Person, copy_of_repo, own_data_home


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Somebody at work in this very repo, with an empty state folder; nothing of theirs runs afterwards."""
    someone = Person(REPO, tmp_path / "state", own_data_home(tmp_path / "data"), {"HOME": str(tmp_path / "home")})
    (tmp_path / "home").mkdir()
    yield someone
    someone.end()


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody whose workspace is up for a whole module of tests that do not disturb it."""
    folder = tmp_path_factory.mktemp("resident")
    (folder / "home").mkdir()
    someone = Person(REPO, folder / "state", own_data_home(folder / "data"), {"HOME": str(folder / "home")})
    someone.up()
    yield someone
    someone.end()


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody with a clone of this repo that may be edited, and an environment of its own; its workspace is up."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "home").mkdir()
    root = copy_of_repo(folder / "repo")
    someone = Person(root, folder / "state", folder / "data", {"HOME": str(folder / "home")})
    someone.up()
    yield someone
    someone.end()


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
        point(monkeypatch, served.url())
        yield served


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtualenv with the very pip that ensurepip brings, in a tenth of ensurepip's time."""

    def create(pip: Pip, venv: Path, python: Path, log: Path, report: Reporter) -> None:
        Uv(UV).create(venv, python, log, report)
        site = inventory.site_packages(venv)
        assert site is not None
        # Debian keeps the wheel apart from the module.
        places = [Path(ensurepip.__file__).parent / "_bundled", Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/")]
        bundled = next(wheel for place in places for wheel in place.glob("pip-*.whl"))
        with zipfile.ZipFile(bundled) as archive:
            archive.extractall(site)

    monkeypatch.setattr(Pip, "create", create)
