"""The repo being worked on: where it begins, what it is called, and its pyproject.toml read once."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onaiml_cli.core.errors import ProjectError

MARKERS = ("pyproject.toml", "onaiml.toml")


@dataclass(frozen=True)
class Project:
    """A repo: root, name, version and what pyproject.toml says.

    Attributes:
        root: absolute, symlinks resolved, so that one repo has one identity.
        pyproject: the parsed pyproject.toml; empty when the repo has none.
    """

    root: Path
    name: str
    version: str
    pyproject: dict[str, Any] = field(repr=False, compare=False, hash=False)

    @property
    def identity(self) -> str:
        """Name and a digest of the root: two clones of one repo are two projects."""
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9]+', '-', self.name).strip('-').lower() or 'project'}-{digest}"

    @property
    def lock_path(self) -> Path:
        return self.root / "poetry.lock"

    @property
    def requires_python(self) -> str:
        """The versions of Python the project says it runs on, as in `requires-python`; empty when it does not say."""
        return str(table(self.pyproject, "project").get("requires-python", ""))


def table(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The table at `names` of a parsed TOML file; empty when there is none or something else has that name."""
    found: Any = document
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def find_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that holds a pyproject.toml or an onaiml.toml."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if any((folder / marker).is_file() for marker in MARKERS):
            return folder
    return None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of the project. Raises ProjectError when it may not be read."""
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise ProjectError(
            f"{path} cannot be read: no permission.", hint=f"`ls -l {path}` shows who may.", code="E_PERMISSION"
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one TOML file. Raises ProjectError that names the line when it is broken or unreadable."""
    try:
        return tomllib.loads(read_bytes(path).decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProjectError(
            f"{path.name} is not valid TOML: {error}.", hint=f"Mend {path} at that line.", code="E_TOML"
        ) from error
    except RecursionError as error:
        raise ProjectError(
            f"{path.name} is nested too deeply to be read.", hint=f"Look for runs of `[` in {path}.", code="E_TOML"
        ) from error
    except UnicodeDecodeError as error:
        raise ProjectError(
            f"{path.name} is not UTF-8 text (byte {error.start}).", hint=f"Save {path} as UTF-8.", code="E_TOML"
        ) from error


def load_project(start: Path) -> Project:
    """The project around `start`. Raises ProjectError when there is none."""
    root = find_root(start)
    if root is None:
        raise ProjectError(
            f"No project here: neither {start} nor a folder above it holds a pyproject.toml.",
            hint="Go to your repo, or type `onaiml init` to make this folder a project.",
        )
    path = root / "pyproject.toml"
    pyproject = read_toml(path) if path.is_file() else {}
    named = [table(pyproject, "project"), table(pyproject, "tool", "poetry")]
    name = next((str(each["name"]) for each in named if each.get("name")), root.name)
    version = next((str(each["version"]) for each in named if each.get("version")), "0")
    return Project(root=root, name=name, version=version, pyproject=pyproject)
