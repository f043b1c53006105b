"""`onaiml shell`: short for `onaiml env shell`."""

from __future__ import annotations

from onaiml_cli.cli.command import Result, Session, command, single
from onaiml_cli.workspace.service import workspace_of

app = single()


@command(app, "shell")
def shell(session: Session) -> Result:
    """Open a shell in the workspace."""
    return {"exit_code": workspace_of(session.project, session.config, session.clock).shell()}
