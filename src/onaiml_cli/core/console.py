"""The one place that prints. People read stderr; stdout carries data: what was asked for, or one JSON object.

With a terminal there are live phases and colours, without one plain lines, with --json silence until the object.
Rich is imported only when something is drawn with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from onaiml_cli.core.clock import Clock, SystemClock
from onaiml_cli.core.errors import Cancelled, OnaimlError, UsageError
from onaiml_cli.core.plan import Plan

if TYPE_CHECKING:
    from rich.status import Status

SCHEMA = "onaiml/1"
# Cells of a progress bar; seconds of silence in a log.
_BAR = 24
_QUIET = 15.0


@dataclass
class Console:
    """Where every word of the command line goes.

    Attributes:
        as_json: collect everything and print one object at the end.
        assume_yes: answer every question with yes.
        out, err, clock, ask: parameters for tests.
    """

    as_json: bool = False
    assume_yes: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Clock = field(default_factory=SystemClock)
    ask: Callable[[str], str] = input
    interactive: bool | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _status: Status | None = None
    _phase: str = ""
    _told: float = 0.0

    @property
    def terminal(self) -> bool:
        """Whether a person watches stderr."""
        return not self.as_json and self.err.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def can_ask(self) -> bool:
        if self.interactive is not None:
            return self.interactive
        return not self.as_json and sys.stdin is not None and sys.stdin.isatty() and self.err.isatty()

    def _style(self, text: str, code: str) -> str:
        coloured = self.terminal and not os.environ.get("NO_COLOR")
        return f"\x1b[{code}m{text}\x1b[0m" if coloured else text

    def line(self, text: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            print(text, file=self.err, flush=True)

    def good(self, text: str) -> None:
        self.line(f"{self._style('✓', '32')} {text}")

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.line(f"{self._style('!', '33')} {text}")

    def data(self, text: str) -> None:
        """What was asked for, on stdout, so that it can be piped."""
        if not self.as_json:
            print(text, file=self.out, flush=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str = "") -> None:
        """Rows on stdout: aligned, and drawn by Rich when stdout is a terminal."""
        if self.as_json:
            return
        if not rows:
            self.line(empty)
            return
        if self.out.isatty():
            from rich.console import Console as RichConsole
            from rich.table import Table

            table = Table(*columns, box=None, pad_edge=False, header_style="bold")
            for row in rows:
                table.add_row(*row)
            RichConsole(file=self.out, markup=False, highlight=False).print(table)
            return
        grid = [list(columns), *[list(row) for row in rows]]
        widths = [max(len(row[i]) for row in grid) for i in range(len(columns))]
        for row in grid:
            self.data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    # A running phase (core.plan.Reporter)

    def note(self, text: str) -> None:
        if self._status is None:
            self._sign_of_life(text)
            return
        from rich.text import Text

        # No markup: an installer's line may hold any brackets and backslashes.
        self._status.update(Text.assemble(self._phase, " ", (text, "dim")))

    def progress(self, done: float, total: float, text: str = "") -> None:
        share = max(0.0, min(done / total, 1.0)) if total > 0 else 0.0
        if self._status is None or total <= 0:
            self.note(f"{share:.0%} {text}".strip() if total > 0 else text)
            return
        from rich.text import Text

        full = round(share * _BAR)
        bar = ("━" * full, "green"), ("─" * (_BAR - full), "dim")
        self._status.update(Text.assemble(self._phase, " ", *bar, f" {share:.0%} ", (text, "dim")))

    def _sign_of_life(self, text: str) -> None:
        """Without a terminal a long phase says now and then what it does, so that a log does not look dead."""
        now = self.clock.monotonic()
        if self._phase and text and now - self._told >= _QUIET:
            self._told = now
            self.line(f"  … {text}")

    @contextlib.contextmanager
    def phase(self, key: str, text: str) -> Iterator[dict[str, Any]]:
        """Time one phase and show it: live with a terminal, one line before and one after without."""
        facts: dict[str, Any] = {}
        started = self.clock.monotonic()
        self._phase, self._told = text, started
        self._status = _live(self.err, self._phase) if self.terminal else None
        if self._status is None:
            self.line(f"· {text}")
        ok = False
        try:
            yield facts
            ok = True
        finally:
            seconds = self.clock.monotonic() - started
            if self._status is not None:
                self._status.stop()
                self._status = None
            self._phase = ""
            self.phases.append({"key": key, "ok": ok, "seconds": round(seconds, 3), **facts})
            mark = self._style("✓", "32") if ok else self._style("✗", "31")
            self.line(f"{mark} {text} ({seconds:.1f} s)")

    # Plan, ask, apply

    def show(self, plan: Plan) -> None:
        """Print a plan: what it is about, each step, and what it costs until when."""
        self.line(self._style(plan.title, "1"))
        for role, name in plan.names.items():
            self.line(f"  {role}: {name}")
        for number, step in enumerate(plan.steps, 1):
            self.line(f"  {number}. {step.text}")
            if step.detail:
                self.line(f"     {step.detail}")
        if plan.cost_per_hour is not None:
            until = f", ends by itself at {plan.deadline:%Y-%m-%d %H:%M} UTC" if plan.deadline else ""
            self.line(f"  costs {plan.cost_per_hour:.2f} USD an hour{until}")

    def confirm(self, question: str) -> None:
        """Ask; return when the answer is yes.

        Raises Cancelled for no, UsageError when there is nobody to ask: it never hangs.
        """
        if self.assume_yes:
            return
        if not self.can_ask:
            raise UsageError(
                "This needs a yes, and there is no terminal to ask on.",
                hint="Add --yes to do it, or --dry-run to see only the plan.",
                code="E_NEEDS_YES",
            )
        self.err.write(f"{question} [Y/n] ")
        self.err.flush()
        try:
            answer = self.ask("").strip().lower()
        except EOFError:
            answer = "n"
        if answer not in ("", "y", "yes"):
            raise Cancelled("Nothing was changed.", hint="")

    def apply(self, plan: Plan) -> None:
        """Do every step, each as a timed phase."""
        for step in plan.steps:
            with self.phase(step.key, step.text) as facts:
                facts.update(step.apply(self) or {})

    # The end of a command

    def fail(self, error: OnaimlError) -> None:
        """Say what is wrong and what to type next."""
        if self.as_json:
            return
        label = self._style("Stopped:" if isinstance(error, Cancelled) else "Error:", "1;31")
        self.line(f"{label} {error.message}")
        if error.hint:
            self.line(f"  → {error.hint}")

    def finish(self, result: dict[str, Any], error: OnaimlError | None = None) -> None:
        """Print the one object of --json."""
        if self.as_json:
            document = {
                "schema": SCHEMA,
                "ok": error is None and not result.get("exit_code"),
                "phases": self.phases,
                "warnings": self.warnings,
                "error": error.as_dict() if error else None,
                **result,
            }
            print(json.dumps(document, default=str), file=self.out, flush=True)


def _live(file: TextIO, text: str) -> Status | None:
    """A spinner on a terminal; None where Rich is not installed yet (environment/build.py)."""
    try:
        from rich.console import Console as RichConsole
        from rich.text import Text
    except ModuleNotFoundError:
        return None
    status = RichConsole(file=file, highlight=False).status(Text(text))
    status.start()
    return status
