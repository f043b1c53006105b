"""Builds the environment of a repo without the rest of the command line: `python -m onaiml_cli.environment.build ROOT`.

This is how a checkout comes to life before any environment exists (scripts/bootstrap.py). It imports nothing that the
command line's own dependencies bring. Prints the folder of the virtualenv.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onaiml_cli.core.config import load_config
from onaiml_cli.core.console import Console
from onaiml_cli.core.errors import Cancelled, OnaimlError
from onaiml_cli.core.plan import Plan
from onaiml_cli.core.project import load_project
from onaiml_cli.environment.service import virtualenv


def main(root: Path) -> int:
    """Make the environment match the lock; the exit code."""
    console = Console()
    try:
        project = load_project(root)
        config = load_config(project)
        environment = virtualenv(project, config)
        console.apply(Plan("Build the environment", tuple(environment.steps())))
    except KeyboardInterrupt:
        console.fail(Cancelled())
        return 130
    except OnaimlError as error:
        console.fail(error)
        return error.exit_code
    sys.stdout.write(f"{environment.path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
