"""`onaiml data`: official tables for the library, read by the library itself in the workspace's environment."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, group
from onaiml_cli.core.errors import UsageError
from onaiml_cli.workspace.service import workspace_of

app = group("Bring official tables into the library's data folder.")

# The payload is named by module path: the command line never imports the library.
_IMPORTER = "onai.ml.data"


@command(app, "import")
def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The file as downloaded from the publisher: csv or xlsx.")],
    taxonomy: Annotated[str, typer.Option("--taxonomy", help="Which code system it belongs to.")] = "uksic2007",
) -> Result:
    """Read a table such as the UK SIC 2007 index, check every row, and keep it for all notebooks of this machine."""
    if not file.is_file():
        raise UsageError(f"There is no file {file}.", hint="Give the path of the file that you downloaded.")
    workspace = workspace_of(session.project, session.config, session.clock)
    command_line = ["python", "-m", _IMPORTER, "import", str(file.resolve()), "--taxonomy", taxonomy]
    if not session.console.as_json:
        return {"exit_code": workspace.execute(command_line)}
    with tempfile.TemporaryFile("w+") as answer:
        status = workspace.execute([*command_line, "--json"], output=answer)
        answer.seek(0)
        text = answer.read()
    report = json.loads(text) if text.strip() else {}
    if status:
        fault = report.get("error") or {}
        message = fault.get("message", f"The importer ended with status {status}.")
        raise UsageError(message, hint=fault.get("hint", ""), code="E_DATA")
    return {"import": report}
