"""Every command, its module and its one line of help, as a table: `--help` and completion import nothing else.

The page of `--help` is laid out here as well, so that it costs no more than the interpreter does. Typer prints the same
page, a test holds the two together, and a terminal too narrow for this layout gets Typer's.
"""

from __future__ import annotations

import os
import sys


class Entry:
    """A command or a group; a plain class, because `typing` would be most of the cost of the page.

    Attributes:
        target: `module:attribute` below onaiml_cli.cli; the attribute is a Typer application.
        help: one line.
        panel: the heading under which it is listed.
    """

    __slots__ = ("help", "panel", "target")

    def __init__(self, target: str, help: str, panel: str) -> None:
        self.target = target
        self.help = help
        self.panel = panel


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

# Common options that were typed before the command, such as `onaiml --json env status`; `cli.app.run` fills it.
typed_before: dict[str, object] = {}

HELP_OPTIONS = ["-h", "--help"]

HELP = "One command line that takes a model from a notebook to a cluster, in one locked environment."
EPILOG = "Every command takes --json, --profile, --debug; those that change something --dry-run and --yes."

# The root's options; the two about completion are Typer's, in its words.
OPTIONS = [
    ("-V, --version", "Print the version and exit."),
    ("--install-completion", "Install completion for the current shell."),
    ("--show-completion", "Show completion for the current shell, to copy it or customize the installation."),
    ("-h, --help", "Show this message and exit."),
]

_WIDTH = 78  # what Typer uses of 80 columns and of any more


def panels() -> list[tuple[str, list[tuple[str, str]]]]:
    """Headings with their commands, in the order of the table."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, entry in COMMANDS.items():
        found.setdefault(entry.panel, []).append((name, entry.help))
    return list(found.items())


def page() -> str | None:
    """The page of `onaiml --help`; None in a terminal of less than 80 columns."""
    if _columns() < 80:
        return None
    blocks = [["Usage: onaiml [OPTIONS] COMMAND [ARGS]..."], [f"  {line}" for line in _wrap(HELP, _WIDTH - 2)]]
    blocks += [_section(heading, rows) for heading, rows in [("Options", OPTIONS), *panels()]]
    blocks.append([f"  {line}" for line in _wrap(EPILOG, _WIDTH - 2)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _section(heading: str, rows: list[tuple[str, str]]) -> list[str]:
    first = max(len(term) for term, _ in rows) + 2
    lines = [f"{heading}:"]
    for term, text in rows:
        start, *more = _wrap(text, _WIDTH - first - 2)
        lines.append(f"  {term:<{first}}{start}")
        lines += [" " * (first + 2) + line for line in more]
    return lines


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _columns() -> int:
    """As shutil.get_terminal_size finds them, without importing shutil."""
    try:
        told = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        told = 0
    if told > 0:
        return told
    try:
        return (os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0) or 80
    except (OSError, ValueError):
        return 80
