"""Every command, its module and its one line of help, as a table: `--help` and completion import nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Entry(NamedTuple):
    """A command or a group.

    Attributes:
        target: `module:attribute` below onaiml_cli.cli; the attribute is a Typer application.
        help: one line.
        panel: the heading under which it is listed.
    """

    target: str
    help: str
    panel: str


WORK = "Work"
SETUP = "Set up"

COMMANDS: dict[str, Entry] = {
    "env": Entry("env:app", "The workspace: up, status, open, logs, exec, shell, down, list, ide.", WORK),
    "test": Entry("test:app", "Run the project's tests in the workspace.", WORK),
    "shell": Entry("shell:app", "Open a shell in the workspace.", WORK),
    "spark": Entry("spark:app", "The Spark server that the PySpark kernel uses.", WORK),
    "data": Entry("data:app", "Bring official tables into the library's data folder.", WORK),
    "init": Entry("init:app", "Write onaiml's configuration for a repo.", SETUP),
    "config": Entry("config:app", "Show every setting and where it comes from.", SETUP),
}


def panels() -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Headings with their commands, in the order of the table."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, entry in COMMANDS.items():
        found.setdefault(entry.panel, []).append((name, entry.help))
    return found.items()
