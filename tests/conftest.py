"""What every test stands on: folders and variables of its own, a clock that it moves, and small projects."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from onaiml_cli.core.project import Project, load_project
from tests.small import Pin, content_hash, lock_text

# A busy machine is no failure.
settings.register_profile("onaiml", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("onaiml")

_KEPT = ("ONAIML_DATA_HOME", "ONAIML_TEST_", "ONAIML_REQUIRE_", "ONAIML_FRESH", "ONAIML_TESTBED")
_FOLDERS = ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Point every folder that a program may write into below `home`, and forget the person's own settings."""
    patch.setenv("HOME", str(home))
    for name in _FOLDERS:
        patch.setenv(name, str(home / name.removeprefix("XDG_").removesuffix("_HOME").lower()))
    for name in list(os.environ):
        if name.startswith("ONAIML_") and not name.startswith(_KEPT):
            patch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "SOURCE_DATE_EPOCH"):
        patch.delenv(name, raising=False)


def _real_places() -> dict[str, str]:
    """What must not move with the home folder: the caches (tests would fetch everything again) and the testbed."""
    home, config = Path.home(), Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    places = {
        "UV_CACHE_DIR": cache / "uv",
        "PIP_CACHE_DIR": cache / "pip",
        "ONAIML_TESTBED_HOME": home / ".cache/onaiml/testbed",
    }
    settings = {"PIP_CONFIG_FILE": config / "pip/pip.conf", "UV_CONFIG_FILE": config / "uv/uv.toml"}
    places |= {name: path for name, path in settings.items() if path.is_file()}
    return {name: str(path) for name, path in places.items() if name not in os.environ}


@pytest.fixture(scope="session", autouse=True)
def _own_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders for fixtures that live longer than one test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _real_places().items():
            patch.setenv(name, value)
        _isolate(patch, tmp_path_factory.mktemp("session"))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's home folder, empty; data, state, cache and config lie below it."""
    folder = tmp_path_factory.mktemp("home")
    _isolate(monkeypatch, folder)
    return folder


@dataclass
class FakeClock:
    """A clock that stands still until somebody sleeps on it.

    Attributes:
        slept: every pause that was asked for, in seconds.
        during: called after each pause, to let something happen meanwhile.
    """

    seconds: float = 0.0
    start: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        self.during()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


MakeProject = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> MakeProject:
    """Writes a small repo: `project(Pin("six"), name=..., config="[tool.onaiml]...")`; its lock is fresh."""

    def make(
        *pins: Pin,
        name: str = "small",
        folder: str = "repo",
        config: str = "",
        extras: Mapping[str, list[str]] | None = None,
        package: bool = False,
    ) -> Project:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        text = f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.11"\n'
        if extras:
            text += "[project.optional-dependencies]\n"
            text += "".join(f"{key} = {json.dumps(what)}\n" for key, what in extras.items())
        if package:
            text += '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
            (root / "src" / name).mkdir(parents=True, exist_ok=True)
            (root / "src" / name / "__init__.py").write_text("")
        (root / "pyproject.toml").write_text(f"{text}{config}")
        found = load_project(root)
        (root / "poetry.lock").write_text(lock_text(*pins, extras=extras, hashed=content_hash(found.pyproject)))
        return found

    return make
