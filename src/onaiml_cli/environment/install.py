"""Putting locked files into a virtualenv, with uv when it is there and pip otherwise, to the same result.

Both are called with `--require-hashes --no-deps`: what is not in the lock, byte for byte, is not installed, and
nothing is solved again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from onaiml_cli.core.errors import MissingToolError, WorkFailedError, from_os_error
from onaiml_cli.core.plan import Reporter
from onaiml_cli.core.process import clean_environment


class Installer(Protocol):
    """A tool that makes and fills virtualenvs."""

    @property
    def name(self) -> str: ...

    def create(self, venv: Path, python: Path, log: Path, report: Reporter) -> None: ...

    def install(self, venv: Path, requirements: Path, count: int, log: Path, report: Reporter) -> None: ...

    def editable(self, venv: Path, root: Path, *, isolated: bool, log: Path, report: Reporter) -> None: ...

    def uninstall(self, venv: Path, names: Sequence[str], log: Path, report: Reporter) -> None: ...


@dataclass(frozen=True)
class Uv:
    """uv: resolves nothing here, links files from its cache."""

    program: Path
    name: str = "uv"

    def create(self, venv: Path, python: Path, log: Path, report: Reporter) -> None:
        _run([self.program, "venv", "--python", python, "--no-project", venv], log=log, report=report)

    def install(self, venv: Path, requirements: Path, count: int, log: Path, report: Reporter) -> None:
        report.note(f"{count} packages with uv")
        _run([*self._pip("install", venv), "--require-hashes", "--no-deps", "-r", requirements], log=log, report=report)

    def editable(self, venv: Path, root: Path, *, isolated: bool, log: Path, report: Reporter) -> None:
        options = [] if isolated else ["--no-build-isolation"]
        _run([*self._pip("install", venv), "--no-deps", *options, "-e", root], log=log, report=report)

    def uninstall(self, venv: Path, names: Sequence[str], log: Path, report: Reporter) -> None:
        _run([*self._pip("uninstall", venv), *names], log=log, report=report)

    def _pip(self, verb: str, venv: Path) -> list[str | Path]:
        return [self.program, "pip", verb, "--python", venv / "bin" / "python"]


@dataclass(frozen=True)
class Pip:
    """The pip that each Python brings into a new virtualenv."""

    name: str = "pip"

    def create(self, venv: Path, python: Path, log: Path, report: Reporter) -> None:
        probe = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False)
        if probe.returncode:
            raise missing_venv(python)
        _run([python, "-m", "venv", venv], log=log, report=report)

    def install(self, venv: Path, requirements: Path, count: int, log: Path, report: Reporter) -> None:
        seen = 0

        def progress(line: str) -> None:
            nonlocal seen
            if line.startswith("Collecting "):
                seen += 1
                report.progress(seen, count, line.split()[1].partition("==")[0])
            elif line.startswith("Installing collected"):
                report.note("unpacking")

        # What an index answered, a refused login too, pip tells only to this file.
        talk = log.with_suffix(".talk")
        command = [*self._pip("install", venv), "--log", talk, "--require-hashes", "--no-deps", "-r", requirements]
        try:
            _run(command, log=log, report=report, each=progress, talk=talk)
        finally:
            talk.unlink(missing_ok=True)

    def editable(self, venv: Path, root: Path, *, isolated: bool, log: Path, report: Reporter) -> None:
        options = [] if isolated else ["--no-build-isolation"]
        _run([*self._pip("install", venv), "--no-deps", *options, "-e", root], log=log, report=report)

    def uninstall(self, venv: Path, names: Sequence[str], log: Path, report: Reporter) -> None:
        _run([*self._pip("uninstall", venv), "--yes", *names], log=log, report=report)

    def _pip(self, verb: str, venv: Path) -> list[str | Path]:
        return [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input", verb]


def missing_venv(python: Path) -> MissingToolError:
    """The error for a Debian Python that came without its venv module."""
    return MissingToolError(
        f"{python} cannot make virtualenvs: its venv and ensurepip modules are not installed.",
        hint="On Debian or Ubuntu type `apt-get install python3-venv` as root, then run the same command again.",
        code="E_NO_VENV",
    )


def choose(setting: str) -> Installer:
    """The installer of the setting `environment.installer`. Raises MissingToolError for a uv that is not there."""
    if setting == "pip":
        return Pip()
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found:
        return Uv(Path(found))
    if setting == "uv":
        raise MissingToolError(
            "environment.installer is `uv`, and there is no uv here.", hint="Install uv, or set it to `auto` or `pip`."
        )
    return Pip()


def _run(
    command: Sequence[str | Path],
    *,
    log: Path,
    report: Reporter,
    each: Callable[[str], None] | None = None,
    talk: Path | None = None,
) -> None:
    """Run one installer command, its output to `log` and line by line to the reporter. Raises WorkFailedError.

    Args:
        talk: a file in which the installer wrote what it did not print; read when it failed.
    """
    tail: deque[str] = deque(maxlen=40)
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (
            open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file,
            subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                env=clean_environment(),
            ) as process,
        ):
            try:
                assert process.stdout is not None
                for raw in process.stdout:
                    file.write(raw)
                    line = raw.strip()
                    tail.append(line)
                    if each is not None:
                        each(line)
                    elif line:
                        report.note(line[:100])
            except BaseException:
                process.terminate()
                raise
            if process.wait():
                answers = _answers(talk)
                file.writelines(f"{line}\n" for line in answers)
                raise explain([*answers, *tail], log)
    except OSError as error:
        raise from_os_error(error) from error


def _answers(talk: Path | None) -> list[str]:
    """What pip's own log says about pages that it could not get."""
    if talk is None or not talk.is_file():
        return []
    lines = talk.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.partition(" ")[2] for line in lines if "Could not fetch URL" in line]


# What installers print (regular expressions), what it means, what to do, and the code.
_CAUSES: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("No space left on device", "ENOSPC", "os error 28"),
        "The disk is full.",
        "Free some space, then run it again.",
        "E_DISK_FULL",
    ),
    (
        ("DO NOT MATCH THE HASHES", "Hash mismatch"),
        "A downloaded file does not have the hash that is in the lock, so it was refused.",
        "If the lock is old type `poetry lock`; else the index serves another file than was locked.",
        "E_HASH",
    ),
    (
        # A bare 401 is a size, a time or a version more often than a status.
        (
            r"\b40[13] (Client )?Error\b",
            r"HTTP error 40[13]\b",
            r"\b401 Unauth|\b403 Forb",
            "lack of valid authentication",
        ),
        "The package index refused the login.",
        "Log in to the index again, then run the same command again.",
        "E_INDEX_AUTH",
    ),
    (
        ("Temporary failure in name resolution", "Failed to establish a new connection", "dns error"),
        "The package index cannot be reached.",
        "Check the network, then run the same command again.",
        "E_INDEX_UNREACHABLE",
    ),
    (
        ("Connection refused", "timed out", "error sending request", "UnknownIssuer", "CERTIFICATE_VERIFY_FAILED"),
        "The package index cannot be reached.",
        "Check the network (behind a company proxy PIP_CERT and SSL_CERT_FILE too), then run it again.",
        "E_INDEX_UNREACHABLE",
    ),
    (
        (
            "Could not find a version that satisfies",
            "No matching distribution",
            "not found in the package registry",
            "there is no version of",
        ),
        "The index does not have a file that is in the lock.",
        "Look at the log for its name; `poetry lock` locks what the index has now.",
        "E_NOT_ON_INDEX",
    ),
    (
        ("Failed building wheel", "Failed to build", "build_editable", "metadata-generation-failed"),
        "A package could not be built from source.",
        "Look at the log for the compiler's words.",
        "E_BUILD",
    ),
)


def explain(tail: Sequence[str], log: Path) -> WorkFailedError:
    """The cause of a failed install, from the last lines that the installer printed."""
    text = "\n".join(tail)
    for words, message, hint, code in _CAUSES:
        if any(re.search(word, text) for word in words):
            return WorkFailedError(
                message, hint=f"{hint} The log: {log}.", code=code, details={"log": list(tail)[-10:]}
            )
    last = next((line for line in reversed(tail) if line), "it printed nothing")
    return WorkFailedError(
        f"The installer failed: {last}", hint=f"The log: {log}.", code="E_INSTALL", details={"log": list(tail)[-10:]}
    )
