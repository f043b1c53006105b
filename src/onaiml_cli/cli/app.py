"""The root command: lists what there is without importing it, runs one, and turns every end into an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from onaiml_cli import __version__
from onaiml_cli.cli.registry import COMMANDS, EPILOG, HELP, HELP_OPTIONS, panels, typed_before
from onaiml_cli.core.errors import OnaimlError, from_os_error


def _spare_pydantic(command: Any, context: Any = None) -> None:
    """Let options that were not given pass as they are.

    Typer validates every parameter through pydantic, the absent ones and its own `--help` too. Importing pydantic costs
    more than everything else that a command does before its work, so it is left for values that are there.
    """
    # A command keeps the help option that it is first asked for, and it has no parent here to inherit its names from.
    settings = {"help_option_names": HELP_OPTIONS, **command.context_settings}
    for parameter in command.get_params(context or typer.Context(command, **settings)):
        if parameter.nargs == 1 and not parameter.multiple and not parameter.required:
            parameter.process_value = partial(_process, parameter, parameter.process_value)


def _process(parameter: Any, process: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    if value is not None:
        return process(context, value)
    return parameter.callback(context, parameter, None) if parameter.callback is not None else None


class _Lazy(MutableMapping[str, Any]):
    """Commands by name, imported when one is asked for."""

    def __init__(self) -> None:
        self.listing = False
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        entry = COMMANDS[name]
        if self.listing:
            return TyperCommand(name, help=entry.help)
        if name not in self._loaded:
            module, _, attribute = entry.target.partition(":")
            application = getattr(importlib.import_module(f"onaiml_cli.cli.{module}"), attribute)
            # Typer would turn a group of one command into that command; `config show` has to stay `config show`.
            loaded = (get_group if application.info.no_args_is_help else get_command)(application)
            loaded.name = name
            for command in (loaded, *getattr(loaded, "commands", {}).values()):
                _spare_pydantic(command)
            self._loaded[name] = loaded
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class RootGroup(TyperGroup):
    """A group whose commands come from the registry."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": None})
        self._lazy = _Lazy()
        self.commands = self._lazy

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Not earlier: Typer adds the options about completion to the finished group.
        _spare_pydantic(self, ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for heading, rows in panels():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names and help from the registry: a completion must not wait for imports."""
        self._lazy.listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._lazy.listing = False


app = typer.Typer(
    cls=RootGroup,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


@app.callback()
def root(version: bool = typer.Option(False, "--version", "-V", help="Print the version and exit.")) -> None:
    """Take a model from a notebook to a cluster."""
    if version:
        typer.echo(f"onaiml {__version__}")
        raise typer.Exit


def _complain(message: str, hint: str = "") -> None:
    sys.stderr.write(f"Error: {message}\n" + (f"  → {hint}\n" if hint else ""))


_BEFORE = {"--json": "as_json", "--yes": "yes", "-y": "yes", "--dry-run": "dry_run", "--debug": "debug"}


def _take_before(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The common options typed before the command, and the rest."""
    found: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        name, mark, value = rest[0].partition("=")
        if name in _BEFORE and not mark:
            found[_BEFORE[name]] = True
        elif name == "--profile" and (mark or len(rest) > 1):
            found["profile"] = value if mark else rest.pop(1)
        else:
            break
        rest.pop(0)
    return found, rest


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code. Commands handle their own errors (cli.command)."""
    before, arguments = _take_before(arguments)
    typed_before.clear()
    typed_before.update(before)
    debug = "--debug" in arguments or "debug" in before or bool(os.environ.get("ONAIML_DEBUG"))
    unknown = next((word for word in arguments[:1] if not word.startswith("-") and word not in COMMANDS), None)
    if unknown is not None and "_ONAIML_COMPLETE" not in os.environ:
        import difflib

        close = difflib.get_close_matches(unknown, COMMANDS, n=1, cutoff=0.5)
        near = f"Did you mean `onaiml {close[0]}`? " if close else ""
        _complain(f"There is no command `{unknown}`.", f"{near}`onaiml --help` lists them all.")
        return 2
    try:
        result = app(list(arguments), prog_name="onaiml", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "onaiml"
        message = error.format_message()
        if message.startswith("Usage: "):
            # A group without a command: Typer puts the page of its help into the error.
            typer.echo(message)
        else:
            _complain(message if message.endswith((".", "?", "!")) else f"{message}.", f"`{path} --help` shows how.")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("Stopped.")
        return 130
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OnaimlError as error:
        if debug:
            raise
        _complain(error.message, error.hint)
        return error.exit_code
    except OSError as error:
        if debug:
            raise
        shown = from_os_error(error)
        _complain(shown.message, shown.hint)
        return shown.exit_code
