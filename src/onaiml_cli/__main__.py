"""The way in. `--version` is answered before anything else is imported, so that scripts can ask it often."""

from __future__ import annotations

import sys

from onaiml_cli import __version__


def main() -> int:
    """Run the command line and return its exit code (also the console script's)."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        sys.stdout.write(f"onaiml {__version__}\n")
        return 0
    from onaiml_cli.cli.app import run

    return run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
