"""Where the fresh machine comes from, and when there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import FreshMachine

PROJECT = Path(__file__).parents[2]
OWNER = "newuser"
FOLDER = f"/home/{OWNER}/onaiml"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests to `-m fresh`: they run the whole suite, which must not start them again in there."""
    if config.option.markexpr and not os.environ.get("ONAIML_FRESH"):
        return
    fresh = [item for item in items if item.get_closest_marker("fresh")]
    config.hook.pytest_deselected(items=fresh)
    items[:] = [item for item in items if item not in fresh]


def _rootfs() -> Path:
    home = Path(os.environ.get("ONAIML_TESTBED_HOME") or Path.home() / ".cache/onaiml/testbed")
    found = sorted((home / "bare-debian").glob("*.tar.gz"))
    if os.geteuid() == 0 and found:
        return found[-1]
    reason = "needs the bare Debian root file system: run `make testbed` as root"
    if os.environ.get("ONAIML_REQUIRE_TESTBED"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[FreshMachine]:
    """A running bare Debian with this working tree in the home of a new user."""
    data = os.environ.get("ONAIML_DATA_HOME")
    with FreshMachine(_rootfs(), tmp_path, Path(data) if data else None, os.environ) as fresh:
        fresh.must(f"useradd --create-home --shell /bin/bash {OWNER}", timeout=60)
        fresh.copy_project(PROJECT, OWNER, FOLDER)
        yield fresh
