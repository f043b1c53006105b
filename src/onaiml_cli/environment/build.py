"""Builds the environment of a repo without the rest of the command line: `python -m onaiml_cli.environment.build ROOT`.

This is how a checkout comes to life before any environment exists (scripts/bootstrap.py). It imports nothing that the
command line's own dependencies bring. Prints the folder of the virtualenv.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onaiml_cli.core.config import load_config
from onaiml_cli.core.console import Console
from onaiml_cli.core.errors import Cancelled, OnaimlError, from_os_error
from onaiml_cli.core.plan import Plan
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.core.state import data_home
from onaiml_cli.environment.base import STAMP
from onaiml_cli.environment.service import virtualenv


def newest(project: Project) -> Path | None:
    """The newest whole environment of a project, whatever lock it was built from; None when there is none."""
    stamps = (data_home() / "environments" / project.identity).glob(f"*/{STAMP}")
    whole = [stamp for stamp in stamps if (stamp.parent / "bin" / "python").exists()]
    return max(whole, key=lambda stamp: stamp.stat().st_mtime).parent if whole else None


def main(root: Path, *, as_is: bool = False) -> int:
    """Make the environment match the lock; the exit code.

    Args:
        as_is: build nothing when there is any environment: what ends things must work when nothing can be built.
    """
    console = Console()
    try:
        project = load_project(root)
        if as_is and (found := newest(project)) is not None:
            sys.stdout.write(f"{found}\n")
            return 0
        config = load_config(project)
        environment = virtualenv(project, config)
        console.apply(Plan("Build the environment", tuple(environment.steps())))
    except KeyboardInterrupt:
        console.fail(Cancelled())
        return 130
    except OnaimlError as error:
        console.fail(error)
        return error.exit_code
    except OSError as error:
        console.fail(from_os_error(error))
        return from_os_error(error).exit_code
    sys.stdout.write(f"{environment.path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), as_is="--as-is" in sys.argv[2:]))
