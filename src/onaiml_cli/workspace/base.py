"""The workspace as a noun: what every provider can do, and how one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from onaiml_cli.core.plan import Plan
from onaiml_cli.core.state import Store, state_home

State = Literal["up", "starting", "down", "dead"]


def documents() -> Store:
    """What is known of every workspace of this machine, one document each."""
    return Store(state_home() / "workspaces")


@dataclass(frozen=True)
class WorkspaceStatus:
    """How a workspace is.

    Attributes:
        state: `dead` means that it was up and ended by something else than `down`.
        url: of JupyterLab, without the token.
        token_file: file of mode 0600 that holds the token.
        fingerprint: of the environment that it runs.
        matches: whether that is the environment of today's lock; None when this cannot be told.
        since: when it was started, in UTC.
        detail: what to know or do, in a sentence.
    """

    name: str
    root: Path
    provider: str
    state: State
    url: str = ""
    token_file: Path | None = None
    fingerprint: str = ""
    matches: bool | None = None
    since: datetime | None = None
    pid: int | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The `workspace` object of `--json`; it never holds the token."""
        return {
            "name": self.name,
            "root": str(self.root),
            "provider": self.provider,
            "state": self.state,
            "url": self.url,
            "token_file": str(self.token_file) if self.token_file else None,
            "fingerprint": self.fingerprint,
            "matches": self.matches,
            "since": self.since.isoformat() if self.since else None,
            "pid": self.pid,
            "detail": self.detail,
        }


class WorkspaceProvider(Protocol):
    """Who runs a workspace."""

    def plan_up(self, *, port: int | None = None) -> tuple[Plan, list[str]]:
        """What would bring it up, and warnings for the person. An empty plan means that it is up and matches."""
        ...

    def plan_down(self) -> Plan:
        """What would end it; empty when nothing runs."""
        ...

    def status(self) -> WorkspaceStatus: ...

    def address(self) -> str:
        """The URL with the token, for a person's browser. Raises PreflightError when it is not up."""
        ...

    def execute(self, command: Sequence[str], *, output: IO[str] | None = None) -> int:
        """Run a command in it, connected to this terminal; its exit status.

        Args:
            output: where its stdout goes instead.

        Raises:
            DriftError: the environment does not hold what the lock says.
            PreflightError: there is no such program.
        """
        ...

    def shell(self) -> int:
        """An interactive shell in it."""
        ...

    def log(self) -> Path:
        """The file with what JupyterLab prints."""
        ...

    def environment_python(self) -> Path:
        """The interpreter of its environment, as an editor needs it. Raises DriftError when it is not there."""
        ...

    def editor_kernels(self) -> Mapping[Path, str]:
        """Kernel specs, by the path at which an editor finds them; besides that of the interpreter itself."""
        ...
