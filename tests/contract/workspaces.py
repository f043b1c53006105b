"""Real workspaces for the tests: the command line as a person runs it, in folders of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

REPO = Path(__file__).resolve().parents[2]


def own_data_home(folder: Path) -> Path:
    """A data folder of its own, but for the environments: those from which this very interpreter runs are linked in."""
    for parent in Path(sys.prefix).parents:
        if parent.name == "environments" and parent.parent.name == "onaiml":
            (folder / "onaiml").mkdir(parents=True)
            (folder / "onaiml" / "environments").symlink_to(parent)
            return folder
    raise AssertionError("Run the tests with `make unit`: they need the environment that onaiml built.")


@dataclass
class Person:
    """Somebody with a repo and a state folder of their own, who types commands.

    Attributes:
        warnings: errors, unless a test interrupts: a Ctrl-C between the opening and the use of a file leaves that file
            to the interpreter, which as an error is told with a traceback and to people not at all.
    """

    root: Path
    state: Path
    data: Path
    extra: dict[str, str] = field(default_factory=dict)
    warnings: str = "error"

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "XDG_STATE_HOME": str(self.state),
            "XDG_DATA_HOME": str(self.data),
            # Downloads are shared with the environment that runs the tests.
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path("~/.cache/uv").expanduser())),
            **self.extra,
        }

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Begin a command; the caller waits for it."""
        return subprocess.Popen(
            [sys.executable, "-W", self.warnings, "-m", "onaiml_cli", *words],
            cwd=more.pop("cwd", self.root),
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def type(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*words, cwd=cwd or self.root)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(list(words), process.returncode, out, err)

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a command with --json; its object. It must be the only thing on stdout."""
        answer = self.type(*words, "--json")
        document: dict[str, Any] = json.loads(answer.stdout)
        assert answer.stdout.count("\n") == 1, answer.stdout
        document["exit"] = answer.returncode
        return document

    def up(self, *words: str) -> dict[str, Any]:
        document = self.ask("env", "up", "--yes", *words)
        assert document["ok"], document
        return document

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this person: what carries their state folder in its variables or its command."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("XDG_STATE_HOME") == str(self.state)
                if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def end(self) -> None:
        """Leave nothing: whatever the test did."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue


def copy_of_repo(target: Path) -> Path:
    """A second clone: what git would ship of this repo's library and configuration, to be edited freely."""
    for name in ("pyproject.toml", "poetry.lock", "README.md", "LICENSE"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, target / name)
    for name in ("src", "templates", "notebooks"):
        shutil.copytree(REPO / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    return target


def listing(person: Person, status: Mapping[str, Any], path: str) -> Any:
    """What JupyterLab's API answers under `path`, asked with the token from its file."""
    import urllib.request

    token = Path(status["token_file"]).read_text()
    base = status["url"].removesuffix("/lab")
    request = urllib.request.Request(f"{base}{path}", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def words_of(processes: Sequence[psutil.Process]) -> str:
    """All command lines, for a message or a search."""
    lines = []
    for process in processes:
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(lines)
