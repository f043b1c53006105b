"""Workspaces by the provider that the profile names: what the commands call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from onaiml_cli.core.clock import Clock
from onaiml_cli.core.config import Config, load_config
from onaiml_cli.core.errors import OnaimlError, WorkFailedError
from onaiml_cli.core.project import Project, load_project
from onaiml_cli.core.state import state_home
from onaiml_cli.providers import provider
from onaiml_cli.workspace.base import WorkspaceProvider, WorkspaceStatus, documents


def workspace_of(project: Project, config: Config, clock: Clock) -> WorkspaceProvider:
    """The workspace of the profile. Raises ConfigError for a provider that does not exist."""
    found: WorkspaceProvider = provider("workspace", config.text("workspace.provider"))(project, config, clock)
    return found


def lock_file(project: Project) -> Path:
    """What commands that change the workspace hold, so that two of them never work at once."""
    return state_home() / "workspaces" / f"{project.identity}.lock"


def every_status(clock: Clock) -> list[WorkspaceStatus]:
    """All workspaces that were brought up on this machine and not taken down, of all projects."""
    store = documents()
    found = []
    for name in store.names():
        document = store.read(name) or {}
        root = Path(str(document.get("root", "")))
        try:
            project = load_project(root)
            found.append(workspace_of(project, load_config(project), clock).status())
        except OnaimlError as error:
            # Its repo was moved or broken; it is still listed, since something of it may run.
            title = str(document.get("name", name))
            found.append(WorkspaceStatus(title, root, str(document.get("provider")), "dead", detail=error.message))
    return found


def _from(root: Path, here: Path, word: str) -> str:
    """A path typed in `here` as seen from `root`; any other word as it is."""
    path, mark, rest = word.partition("::")
    target = (here / path).resolve()
    if word.startswith("-") or not target.exists() or not target.is_relative_to(root):
        return word
    return f"{target.relative_to(root)}{mark}{rest}"


# What pytest's exit statuses mean for people.
_PYTEST = {
    2: "pytest was interrupted.",
    3: "pytest had an internal error.",
    4: "pytest did not understand its arguments.",
    5: "pytest found no tests.",
}


def run_tests(
    workspace: WorkspaceProvider, words: Sequence[str], *, root: Path, here: Path, output: IO[str] | None = None
) -> None:
    """pytest in the workspace, connected to this terminal.

    Args:
        words: paths and pytest's own options. Paths are meant from `here`, where the person is; pytest runs in `root`.
        output: where its stdout goes instead.

    Raises:
        WorkFailedError: it did not pass.
    """
    status = workspace.execute(["python", "-m", "pytest", *(_from(root, here, word) for word in words)], output=output)
    if status:
        raise WorkFailedError(
            _PYTEST.get(status, "Tests failed." if status == 1 else f"pytest ended with status {status}."),
            hint="The lines above say which; `onaiml test PATH -- -x --pdb` stops at the first.",
            code="E_TESTS",
            details={"status": status},
        )
