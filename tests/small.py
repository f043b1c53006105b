"""Small things that many tests write: a poetry.lock, its content hash, a process that runs some Python."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Pin:
    """One package of a written lock."""

    name: str
    version: str = "1.0"
    groups: tuple[str, ...] = ("main",)
    markers: str | Mapping[str, str] = ""
    hashes: tuple[str, ...] = ()
    source: str = ""

    def toml(self) -> str:
        """Its table, as Poetry 2.3 writes it."""
        named = self.hashes or ("sha256:" + hashlib.sha256(f"{self.name} {self.version}".encode()).hexdigest(),)
        files = ", ".join(f'{{file = "{self.name}-{i}.whl", hash = "{value}"}}' for i, value in enumerate(named))
        lines = [
            "[[package]]",
            f"name = {json.dumps(self.name)}",
            f"version = {json.dumps(self.version)}",
            'description = ""',
            "optional = false",
            'python-versions = "*"',
            f"groups = {json.dumps(list(self.groups))}",
        ]
        if isinstance(self.markers, str) and self.markers:
            lines.append(f"markers = {json.dumps(self.markers)}")
        elif self.markers:
            pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in dict(self.markers).items())
            lines.append(f"markers = {{{pairs}}}")
        return "\n".join([*lines, f"files = [{files}]", *([self.source] if self.source else [])]) + "\n"


def content_hash(pyproject: Mapping[str, Any]) -> str:
    """What Poetry computes for a pyproject.toml that has [project] dependencies or requires-python.

    Written again here, so that the tests do not ask the code under test. Source: `Locker._get_content_hash`.
    """
    keys = ("requires-python", "dependencies", "optional-dependencies")
    project = {key: pyproject["project"][key] for key in keys if key in pyproject["project"]}
    tool = pyproject.get("tool", {}).get("poetry", {})
    own = ("dependencies", "source", "extras", "dev-dependencies", "group")
    content = {"project": project, "tool": {"poetry": {key: tool[key] for key in own if key in tool}}}
    if pyproject.get("dependency-groups"):
        content["dependency-groups"] = pyproject["dependency-groups"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def lock_text(*pins: Pin, extras: Mapping[str, list[str]] | None = None, version: str = "2.1", hashed: str = "") -> str:
    """The text of a poetry.lock."""
    parts = [pin.toml() for pin in pins]
    if extras:
        parts.append("[extras]\n" + "".join(f"{name} = {json.dumps(what)}\n" for name, what in extras.items()))
    parts.append(
        f'[metadata]\nlock-version = "{version}"\npython-versions = ">=3.11"\ncontent-hash = "{hashed or "0" * 64}"\n'
    )
    return "\n".join(parts)


def python(code: str, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run some Python in a process of its own, warnings as errors."""
    words = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **more)


@contextmanager
def full_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """A real file system of `size`; skips where this user may not mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only root, with the right to mount, can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def somebody_else() -> Iterator[Path]:
    """A new folder that everybody may enter, and for the block a user who may not read what is forbidden there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = os.geteuid() == 0
        try:
            if root:
                os.chown(folder, 65534, 65534)
                os.seteuid(65534)
            yield folder
        finally:
            if root:
                os.seteuid(0)
