"""The way in. `--version` and `--help` are answered before anything else is imported: people and scripts ask often."""

from __future__ import annotations

import os
import sys

from onaiml_cli import __version__


def main() -> int:
    """Run the command line and return its exit code (also the console script's)."""
    arguments = sys.argv[1:]
    if "_ONAIML_COMPLETE" not in os.environ:
        if arguments in (["--version"], ["-V"]):
            return _print(f"onaiml {__version__}\n", 0)
        if arguments in ([], ["--help"], ["-h"]):
            from onaiml_cli.cli.registry import page

            text = page()
            if text is not None:
                return _print(text, 0 if arguments else 2)
    from onaiml_cli.cli.app import run

    return run(arguments)


def _print(text: str, status: int) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has gone; give the interpreter's last flush a place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    raise SystemExit(main())
