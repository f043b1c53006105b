"""Where the packaged templates lie: inside the wheel, or at the top of the repo when installed editable."""

from __future__ import annotations

from pathlib import Path

from onaiml_cli.core.errors import LocalSystemError


def template(name: str) -> Path:
    """The path of a packaged template, such as `kernels/pyspark_startup.py`."""
    package = Path(__file__).resolve().parent.parent
    for base in (package / "templates", package.parent.parent / "templates"):
        path = base / name
        if path.exists():
            return path
    raise LocalSystemError(f"The template {name} is missing from this installation.", hint="Install onaiml again.")
