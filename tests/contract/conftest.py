"""Fixtures with real processes behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
