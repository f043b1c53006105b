"""`onaiml env`: the workspace, wherever the profile puts it."""

from __future__ import annotations

import os
import signal
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, group, interactive_environment
from onaiml_cli.core.clock import human_age
from onaiml_cli.core.errors import PreflightError, UsageError
from onaiml_cli.core.plan import Plan, Step
from onaiml_cli.core.state import lock
from onaiml_cli.workspace import ide as editors
from onaiml_cli.workspace.base import WorkspaceProvider
from onaiml_cli.workspace.service import every_status, lock_file, workspace_of

app = group("The workspace: Jupyter with the locked environment, the library and its kernels.")

Port = Annotated[int | None, typer.Option("--port", help="Port of JupyterLab; only this one.", show_default=False)]


def _workspace(session: Session) -> WorkspaceProvider:
    return workspace_of(session.project, session.config, session.clock)


def _waiting(session: Session) -> Callable[[str], None]:
    return lambda holder: session.console.line(f"Waiting for {holder} ...")


@command(app, changes=True)
def up(session: Session, port: Port = None) -> Result:
    """Bring the workspace up, or up to date; a second time changes nothing."""
    workspace = _workspace(session)
    console = session.console
    with lock(lock_file(session.project), "onaiml env up", clock=session.clock, waiting=_waiting(session)):
        plan, warnings = workspace.plan_up(port=port)
        for warning in warnings:
            console.warn(warning)
        result = session.carry_out(plan, "Go ahead?", done="The workspace is up and matches the lock.")
    if session.dry_run:
        return result
    status = workspace.status()
    console.good(f"JupyterLab: {workspace.address()}")
    return {**result, "workspace": status.as_dict()}


@command(app)
def status(session: Session) -> Result:
    """How the workspace is."""
    found = _workspace(session).status()
    console = session.console
    console.data(f"{found.name}: {found.state}" + (f", {found.detail}" if found.detail else ""))
    if found.state != "down":
        age = human_age((session.clock.now() - found.since).total_seconds()) if found.since else "?"
        environment = {True: "matches the lock", False: "differs from the lock", None: "cannot be compared"}
        console.data(f"  JupyterLab   {found.url} (since {age})")
        console.data(f"  environment  {found.fingerprint[:12]} {environment[found.matches]}")
        console.data(f"  project      {found.root}")
    return {"workspace": found.as_dict()}


@command(app, "list")
def list_(session: Session) -> Result:
    """All workspaces of this machine."""
    found = every_status(session.clock)
    now = session.clock.now()
    rows = [
        (
            item.name,
            item.state,
            human_age((now - item.since).total_seconds()) if item.since else "",
            {True: "yes", False: "no", None: "?"}[item.matches],
            item.url,
            str(item.root),
        )
        for item in found
    ]
    session.console.table(
        ("NAME", "STATE", "AGE", "MATCHES", "URL", "ROOT"), rows, empty="No workspace is up. Type `onaiml env up`."
    )
    return {"workspaces": [item.as_dict() for item in found]}


@command(app, "open")
def open_(session: Session) -> Result:
    """Open JupyterLab in the browser; without one, print its address."""
    address = _workspace(session).address()
    opened = False
    if not session.console.as_json and interactive_environment():
        opened = webbrowser.open(address)
    if not opened:
        session.console.data(address)
        session.console.line("No browser can be opened here; open this address where there is one.")
    return {"opened": opened}


@command(app)
def logs(
    session: Session,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> Result:
    """What JupyterLab printed."""
    path = _workspace(session).log()
    if not path.is_file():
        raise PreflightError(
            "There is no log: the workspace was not started here.", hint="Type `onaiml env up`.", code="E_NOT_UP"
        )
    with path.open(encoding="utf-8", errors="replace") as file:
        last = file.read().splitlines()[-lines:] if lines else file.read()[:0].splitlines()
        for line in last:
            session.console.data(line)
        while follow:
            line = file.readline()
            if line:
                session.console.data(line.rstrip("\n"))
            else:
                session.clock.sleep(0.2)
    return {"log": str(path), "lines": last}


@command(app, "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def exec_(
    session: Session,
    words: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run, after `--`.")],
) -> Result:
    """Run a command in the workspace; its exit status is ours."""
    return {"exit_code": _workspace(session).execute(words, output=session.child_output)}


@command(app)
def shell(session: Session) -> Result:
    """Open a shell in the workspace."""
    return {"exit_code": _workspace(session).shell()}


@command(app, changes=True)
def down(session: Session) -> Result:
    """End the workspace: no process is left. The environment and your files stay."""
    workspace = workspace_of(session.project, session.lenient_config, session.clock)
    # Typed in a terminal of this JupyterLab, the command must outlive that terminal.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with lock(lock_file(session.project), "onaiml env down", clock=session.clock, waiting=_waiting(session)):
        plan = workspace.plan_down()
        result = session.carry_out(plan, "Go ahead?", done="Nothing of this workspace runs.")
    if result["changed"]:
        session.console.good("Nothing of this workspace runs any more; `onaiml env up` brings it back.")
    return {**result, "workspace": workspace.status().as_dict()}


@command(app, changes=True)
def ide(
    session: Session, editor: Annotated[str, typer.Argument(help=f"One of {', '.join(editors.EDITORS)}.")]
) -> Result:
    """Write interpreter, test and kernel settings of the workspace for an editor."""
    if editor not in editors.EDITORS:
        raise UsageError(f"`{editor}` is not known here.", hint=f"One of: {', '.join(editors.EDITORS)}.")
    workspace = _workspace(session)
    python = workspace.environment_python()
    files = {**editors.settings(editor, session.project, python), **workspace.editor_kernels()}
    changed = {path: text for path, text in files.items() if not _says(path, text)}
    names = ", ".join(os.path.relpath(path, session.project.root) for path in changed)
    steps = (Step("ide", f"Write {names}", lambda _: editors.write(changed)),) if changed else ()
    plan = Plan(f"Settings of {session.project.name} for {editor}", steps, {"interpreter": str(python)})
    result = session.carry_out(plan, "Go ahead?", done=f"The settings for {editor} are up to date.")
    return {**result, "files": [str(path) for path in files]}


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
