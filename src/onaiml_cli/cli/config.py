"""`onaiml config`: every setting, and where it comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from onaiml_cli.cli.command import Result, Session, command, group
from onaiml_cli.core.config import KEYS, nearest, variable
from onaiml_cli.core.errors import UsageError

app = group("Show every setting and where it comes from.")


def _text(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


@command(app)
def show(
    session: Session,
    key: Annotated[str | None, typer.Argument(help="Only this one.", show_default=False)] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
) -> Result:
    """Print the settings of the profile."""
    settings = session.config.settings
    if key is not None and key not in settings:
        raise UsageError(
            f"There is no setting `{key}`.{nearest(key, settings)}", hint="`onaiml config show` lists all."
        )
    shown = {name: setting for name, setting in settings.items() if key in (None, name)}
    columns = ("KEY", "VALUE", "ORIGIN", "VARIABLE") if origin else ("KEY", "VALUE")
    rows = [(name, _text(item.value), item.origin, variable(name))[: len(columns)] for name, item in shown.items()]
    session.console.table(columns, rows)
    return {
        "profile": session.config.profile,
        "settings": {
            name: {"value": item.value, "origin": item.origin, "help": KEYS[name].help} for name, item in shown.items()
        },
    }
