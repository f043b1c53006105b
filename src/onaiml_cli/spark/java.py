"""Java for Spark: found, or installed where that is one safe command, or its absence explained."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onaiml_cli.core.errors import MissingToolError, WorkFailedError
from onaiml_cli.core.plan import Reporter, Step

# What Spark 4.0 runs on, by its documentation.
SUPPORTED = (17, 21)
# Where distributions, Apple and Homebrew put it.
PLACES = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/homebrew/opt")
_PACKAGE = "openjdk-17-jre-headless"


@dataclass(frozen=True)
class Java:
    """A Java runtime: its home folder and its major version."""

    home: Path
    major: int


def _homes() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    program = shutil.which("java")
    if program:
        yield Path(os.path.realpath(program)).parent.parent
    for folder in PLACES:
        base = Path(folder)
        if base.is_dir():
            for home in sorted(base.iterdir()):
                yield home
                yield home / "Contents" / "Home"


def _major(home: Path) -> int | None:
    """The major version of a Java home, from its release file, or by asking it."""
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    release = home / "release"
    text = release.read_text(errors="replace") if release.is_file() else ""
    found = re.search(r'JAVA_VERSION="(\d+)', text)
    if found is None:
        try:
            answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.SubprocessError):
            return None
        found = re.search(r'version "(\d+)', answer.stderr)
    return int(found[1]) if found else None


def find() -> Java | None:
    """The first Java that Spark runs on: $JAVA_HOME, then PATH, then the usual places."""
    seen = set()
    for home in _homes():
        if home in seen:
            continue
        seen.add(home)
        major = _major(home)
        if major in SUPPORTED:
            return Java(home, major)
    return None


def can_install() -> bool:
    """Whether one safe command installs it: Debian or a child of it, as root."""
    return os.geteuid() == 0 and Path("/etc/debian_version").is_file() and shutil.which("apt-get") is not None


def missing() -> MissingToolError:
    """The error for a machine without it."""
    return MissingToolError(
        "Spark needs Java 17 or 21, and this machine has neither.",
        hint=f"On Debian or Ubuntu type `sudo apt-get install {_PACKAGE}`; on macOS `brew install openjdk@17`. "
        "Everything but Spark works without it.",
        code="E_NO_JAVA",
    )


def install_step() -> Step:
    """The step that installs it by apt-get."""
    return Step("java", f"Install Java for Spark: apt-get install {_PACKAGE}", _install)


def _install(report: Reporter) -> Mapping[str, Any]:
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", _PACKAGE]
    for command in (["apt-get", "update"], install):
        report.note(" ".join(command))
        answer = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        if answer.returncode and command is install:
            last = (answer.stderr.strip().splitlines() or ["it printed nothing"])[-1]
            raise WorkFailedError(
                f"apt-get could not install {_PACKAGE}: {last}",
                hint="Install Java 17 or 21 by hand, or go on without Spark: the rest does not need it.",
                code="E_APT",
            )
    found = find()
    return {"java": str(found.home) if found else None}
