"""`onaiml test`: the project's tests, in the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, single
from onaiml_cli.workspace.service import run_tests, workspace_of

app = single()


@command(app, "test", context_settings={"allow_interspersed_args": True})
def test(
    session: Session,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="What to test, all by default; `-- ARGS` goes to pytest.")
    ] = None,
) -> Result:
    """Run the project's tests with pytest in the workspace; what follows `--` goes to pytest."""
    workspace = workspace_of(session.project, session.config, session.clock)
    run_tests(workspace, paths or [], root=session.project.root, here=Path.cwd(), output=session.child_output)
    return {}
