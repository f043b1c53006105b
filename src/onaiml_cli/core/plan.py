"""Plan, then apply: what a command is about to do, as data that is shown, asked about, and only then done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


class Reporter(Protocol):
    """How a step tells how far it is. The console is one; a test's list is another."""

    def note(self, text: str) -> None:
        """One more line about the running step."""
        ...

    def progress(self, done: float, total: float, text: str = "") -> None:
        """How much of the running step is done, in any unit."""
        ...


@dataclass(frozen=True)
class Step:
    """One change.

    Attributes:
        key: stable name of the phase (`environment`, `kernels`), as in `--json`.
        text: what will be done, as an instruction: "Start JupyterLab on 127.0.0.1:8888".
        apply: does it; returns facts about it for `--json`, or None.
        detail: a second line, such as sizes or the reason why.
    """

    key: str
    text: str
    apply: Callable[[Reporter], Mapping[str, Any] | None] = field(repr=False, compare=False)
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        shown = {"key": self.key, "text": self.text}
        return {**shown, "detail": self.detail} if self.detail else shown


@dataclass(frozen=True)
class Plan:
    """What a command will do outside the repo.

    Attributes:
        title: the intention in a few words.
        steps: the changes, in order; none means that everything already is as it should be.
        names: what will be made or touched, by role (workspace, environment, ...).
        cost_per_hour: US dollars; None when nothing is billed.
        deadline: when what is made ends by itself; None when it is not billed.
        fingerprint: of the environment it uses.
    """

    title: str
    steps: tuple[Step, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    cost_per_hour: float | None = None
    deadline: datetime | None = None
    fingerprint: str = ""

    @property
    def empty(self) -> bool:
        return not self.steps

    def as_dict(self) -> dict[str, Any]:
        """The `plan` object of `--json`."""
        return {
            "title": self.title,
            "steps": [step.as_dict() for step in self.steps],
            "names": dict(self.names),
            "cost_per_hour": self.cost_per_hour,
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "fingerprint": self.fingerprint,
        }
