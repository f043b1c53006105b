"""`python -m onai.ml.data import FILE`: the import without the command line, for a machine that has only the library.

Exit codes: 0 imported, 2 the file or the options cannot be used.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from onai.ml.data.imports import TAXONOMIES, ImportReport, import_table
from onai.ml.data.sources import user_folder
from onai.ml.errors import MLError

_REJECTS_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m onai.ml.data", description="Manage labelled data.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("import", help="import the official index, csv or xlsx")
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--taxonomy", choices=TAXONOMIES, default=TAXONOMIES[0])
    command.add_argument("--destination", type=Path, metavar="FOLDER", help="default: the data folder of this user")
    command.add_argument("--date", metavar="YYYY-MM-DD", help="day of the import, recorded with it (default: today)")
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    options = parser.parse_args(argv)
    date = options.date or datetime.date.today().isoformat()
    try:
        report = import_table(options.file, options.destination or user_folder(), taxonomy=options.taxonomy, date=date)
    except MLError as error:
        if options.json:
            fault = {"code": "data", "message": error.message, "hint": error.hint}
            sys.stdout.write(json.dumps({"schema": 1, "ok": False, "error": fault}) + "\n")
        sys.stderr.write(f"error: {error.message}\n{error.hint}".rstrip() + "\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps({"schema": 1, "ok": True, "error": None, **report.to_dict()}) + "\n")
    _tell(report)
    return 0


def _tell(report: ImportReport) -> None:
    lines = [f"{report.rows:,} rows, {report.codes:,} codes -> {report.path}"]
    if report.rejects:
        lines.append(f"{len(report.rejects):,} rows refused:")
    lines += [f"  line {reject.line}: {reject.reason}" for reject in report.rejects[:_REJECTS_SHOWN]]
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
