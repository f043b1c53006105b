"""What every command has in common, in one place: the options, the phases, the one JSON object, the exit code.

A command is a function whose first parameter is the Session; this decorator gives it the common options and calls it.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from onaiml_cli.cli.registry import HELP_OPTIONS, typed_before
from onaiml_cli.core.clock import Clock, SystemClock
from onaiml_cli.core.config import Config, default_config, load_config
from onaiml_cli.core.console import Console
from onaiml_cli.core.errors import Cancelled, ConfigError, OnaimlError, ProjectError, WorkFailedError, from_os_error
from onaiml_cli.core.plan import Plan
from onaiml_cli.core.project import Project, load_project

Result = Mapping[str, Any] | None


@dataclass
class Session:
    """One call of one command: its options, its console, and the project and config when they are asked for."""

    console: Console
    profile: str | None = None
    dry_run: bool = False
    debug: bool = False
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def project(self) -> Project:
        """The project around the current folder. Raises ProjectError when there is none."""
        return load_project(Path.cwd())

    @cached_property
    def config(self) -> Config:
        """Its settings, this call's options included. Raises ConfigError."""
        config = load_config(self.project, options={"profile": self.profile})
        for warning in config.warnings:
            self.console.warn(warning)
        return config

    @cached_property
    def lenient_config(self) -> Config:
        """The settings; the defaults when they cannot be read, for what ends things."""
        assert self.project
        try:
            return self.config
        except (ConfigError, ProjectError) as error:
            self.console.warn(f"{error.message} The defaults are used.")
            return default_config()

    @property
    def child_output(self) -> IO[str] | None:
        """Where a child's stdout goes: ours, or stderr with --json, when ours carries one object and nothing else."""
        return sys.stderr if self.console.as_json else None

    def carry_out(self, plan: Plan, question: str, *, done: str) -> dict[str, Any]:
        """Show a plan, ask, apply it. With --dry-run only show it. The parts of the result about it.

        Raises Cancelled when the answer is no, UsageError when there is nobody to ask.
        """
        result: dict[str, Any] = {"plan": plan.as_dict(), "changed": False}
        if plan.empty:
            self.console.good(done)
            return result
        self.console.show(plan)
        if self.dry_run:
            self.console.line("Nothing was done (--dry-run).")
            return result
        self.console.confirm(question)
        self.console.apply(plan)
        result["changed"] = True
        return result


Json = Annotated[bool, typer.Option("--json", envvar="ONAIML_JSON", help="Print one JSON object on stdout.")]
Profile = Annotated[str | None, typer.Option("--profile", help="Which profile to use.", show_default=False)]
Debug = Annotated[bool, typer.Option("--debug", envvar="ONAIML_DEBUG", help="Show the traceback of an error.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="ONAIML_YES", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", envvar="ONAIML_DRY_RUN", help="Show the plan and stop.")]

_COMMON: Mapping[str, tuple[Any, Any]] = {"as_json": (Json, False), "profile": (Profile, None), "debug": (Debug, False)}
_CHANGES: Mapping[str, tuple[Any, Any]] = {"yes": (Yes, False), "dry_run": (DryRun, False)}


def command(
    app: typer.Typer, name: str | None = None, *, changes: bool = False, **settings: Any
) -> Callable[[Callable[..., Result]], Callable[..., int]]:
    """Add a function to a Typer application as a command.

    Args:
        changes: it changes something outside the repo, so it takes --yes and --dry-run.
        settings: passed to Typer.
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., int]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = {**_COMMON, **(_CHANGES if changes else {})}
        added = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in common.items()
        ]

        @wraps(function)
        def call(**values: Any) -> int:
            given = {key: values.pop(key) or typed_before.get(key) for key in common}
            console = Console(as_json=bool(given["as_json"]), assume_yes=bool(given.get("yes")))
            profile = given["profile"]
            session = Session(
                console, str(profile) if profile else None, bool(given.get("dry_run")), bool(given["debug"])
            )
            return execute(session, lambda: function(session, **values))

        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
        call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        # `wraps` leaves a trail that signature readers would follow back to the bare function.
        del call.__wrapped__
        app.command(name, **settings)(call)
        return call

    return decorate


def group(help_text: str) -> typer.Typer:
    """An empty command group."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": HELP_OPTIONS},
    )


def single() -> typer.Typer:
    """An application for one command that stands at the top level."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": HELP_OPTIONS}
    )


def execute(session: Session, work: Callable[[], Result]) -> int:
    """Run the work of a command; print its result or its error; its exit code."""
    result: Result = None
    error: OnaimlError | None = None
    try:
        result = work()
    except KeyboardInterrupt:
        error = Cancelled()
    except OnaimlError as problem:
        error = problem
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        error = from_os_error(problem)
        error.__cause__ = problem
    except Exception as problem:  # noqa: BLE001
        error = WorkFailedError(
            f"onaiml itself failed: {type(problem).__name__}: {problem}",
            hint="Run again with --debug and report what it prints.",
            code="E_INTERNAL",
        )
        error.__cause__ = problem
    if error is not None and session.debug:
        traceback.print_exception(error, file=sys.stderr)
    if error is not None:
        session.console.fail(error)
    session.console.finish(dict(result or {}), error)
    if error is not None:
        return error.exit_code
    return int((result or {}).get("exit_code", 0))


def interactive_environment() -> bool:
    """Whether a browser could be opened for a person here."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
