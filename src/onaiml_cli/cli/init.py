"""`onaiml init`: the configuration of a repo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, single
from onaiml_cli.core.errors import ConfigError
from onaiml_cli.core.project import Project, find_root, read_toml
from onaiml_cli.core.state import write_atomic

app = single()


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _declared(pyproject: dict[str, object]) -> tuple[list[str], list[str]]:
    """Extras and groups that a pyproject.toml declares."""
    project, tool = pyproject.get("project", {}), pyproject.get("tool", {})
    poetry = tool.get("poetry", {}) if isinstance(tool, dict) else {}
    extras = {
        *(project.get("optional-dependencies", {}) if isinstance(project, dict) else ()),
        *poetry.get("extras", ()),
    }
    groups = {*poetry.get("group", ())}
    listed = pyproject.get("dependency-groups", {})
    groups |= set(listed) if isinstance(listed, dict) else set()
    return sorted(extras), sorted(groups)


@command(app, "init")
def init(
    session: Session,
    extras: Annotated[str | None, typer.Option("--extras", help="Extras of the workspace, by comma.")] = None,
    groups: Annotated[str | None, typer.Option("--groups", help="Dependency groups of it, by comma.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="First port tried for JupyterLab.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an onaiml.toml that is there.")] = False,
) -> Result:
    """Write onaiml.toml for this repo: asks on a terminal, else takes the options and what pyproject.toml declares."""
    root = find_root(Path.cwd()) or Path.cwd().resolve()
    pyproject = read_toml(root / "pyproject.toml") if (root / "pyproject.toml").is_file() else {}
    target = root / "onaiml.toml"
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already.", hint="Edit it, or replace it with `onaiml init --force`.")
    if not force and "onaiml" in pyproject.get("tool", {}):
        raise ConfigError(
            "pyproject.toml has a [tool.onaiml] table already.",
            hint="Edit that; `onaiml init --force` writes an onaiml.toml, which wins over it.",
        )
    known_extras, known_groups = _declared(pyproject)
    answers = {
        "extras": extras if extras is not None else _ask(session, "Extras of the workspace", known_extras),
        "groups": groups if groups is not None else _ask(session, "Dependency groups of it", known_groups),
    }
    lines = ["# Configuration of onaiml; `onaiml config show --origin` lists every key.", "", "[environment]"]
    lines += [f"{key} = [{', '.join(_quoted(name) for name in _names(text))}]" for key, text in answers.items()]
    if port is not None:
        lines += ["", "[workspace]", f"port = {port}"]
    write_atomic(target, "\n".join(lines) + "\n", mode=0o644)
    session.console.good(f"Wrote {target}.")
    if not Project(root, "", "", {}).lock_path.is_file():
        session.console.warn("There is no poetry.lock yet: type `poetry lock`, then `onaiml env up`.")
    else:
        session.console.line("Next: `onaiml env up`.")
    return {"path": str(target), "extras": _names(answers["extras"]), "groups": _names(answers["groups"])}


def _ask(session: Session, question: str, known: list[str]) -> str:
    default = ",".join(known)
    if not session.console.can_ask:
        return default
    session.console.err.write(f"{question}, by comma [{default or 'none'}]: ")
    session.console.err.flush()
    return session.console.ask("").strip() or default


def _quoted(name: str) -> str:
    if '"' in name or "\\" in name:
        raise ConfigError(f"`{name}` is not a name.", hint="Names hold letters, digits, `-`, `_` and `.`.")
    return f'"{name}"'
