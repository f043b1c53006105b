"""Imports the official UK SIC 2007 index from the file a person downloaded.

The publisher moves columns, adds title rows and changes formats between editions, so the columns are found by what
they hold. Every row is checked, refused rows are named with line and reason, and what was imported is recorded
beside it: publisher, licence, and the sha256 of the very file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from onai.ml.data.sources import INDEX_FILE, OGL_ATTRIBUTION, SOURCE_FILE
from onai.ml.data.tables import SIZE_LIMIT, Table, read_tables
from onai.ml.data.uksic import parse_code, section_of
from onai.ml.errors import DataError

TAXONOMIES = ("uksic2007",)
_MAX_ACTIVITY = 1000
_SAMPLE_ROWS = 2000  # enough to tell the columns apart
_LOOKS_LIKE_CODE = re.compile(r"\d{2}\.?\d{2}(?:[/.]?\d)?(?:\.0)?|\d{4,5}(?:\.0)?")
_HINT = "It needs a column of five-digit UK SIC 2007 codes and a column with the text of each activity."


@dataclass(frozen=True)
class Reject:
    """A row that was not imported: its line in the input (from 1) and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did: rows written to `path`, rows refused, distinct codes, and the sha256 of the input."""

    path: str
    rows: int
    codes: int
    rejects: tuple[Reject, ...]
    sha256: str

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Columns:
    code: int
    text: int
    old_code: int | None
    zero_lost: bool


def import_table(
    path: str | os.PathLike[str], destination: str | os.PathLike[str], *, taxonomy: str = "uksic2007", date: str = ""
) -> ImportReport:
    """Write a normalised copy of the table in `path` to the folder `destination` and return what was done.

    Writes `uksic2007_index.csv` (sic2007, sic2003, activity, section) and then `SOURCE.json`, each in one step;
    an existing import is replaced only by a complete one. `date` is recorded as the day of the import (ISO 8601).
    Raises `DataError` with a hint for a file that is missing, unreadable or holds no usable row.
    """
    if taxonomy not in TAXONOMIES:
        raise DataError(f"there is no importer for {taxonomy!r}", f"Known: {', '.join(TAXONOMIES)}.")
    source, folder = Path(path), Path(destination)
    data = _read(source)
    table, columns = _best_table(read_tables(source, data), source.name)
    rows, rejects = _checked_rows(table, columns)
    if not rows:
        raise DataError(f"no row of {source.name} can be used (line {rejects[0].line}: {rejects[0].reason})", _HINT)
    sha256 = hashlib.sha256(data).hexdigest()
    record = {
        "taxonomy": taxonomy,
        "publisher": "Office for National Statistics",
        "licence": "Open Government Licence v3.0",
        "attribution": OGL_ATTRIBUTION,
        "file": source.name,
        "sha256": sha256,
        "imported": date,
        "rows": len(rows),
        "rejected": len(rejects),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / INDEX_FILE, _csv(rows))
        _write(folder / SOURCE_FILE, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror}", "Give a folder you may write to.") from None
    codes = len({row[0] for row in rows})
    return ImportReport(str(folder / INDEX_FILE), len(rows), codes, tuple(rejects), sha256)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise DataError(f"there is no file {path}", "Check the path of the file you downloaded.")
        if path.stat().st_size > SIZE_LIMIT:
            raise DataError(f"{path.name} is larger than {SIZE_LIMIT >> 20} MiB", "The official index is under 5 MiB.")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "Check its permissions.") from None
    if not data.strip():
        raise DataError(f"{path.name} is empty", "Download it again.")
    return data


def _best_table(tables: list[Table], name: str) -> tuple[Table, _Columns]:
    found = [(table, columns) for table in tables if (columns := _find_columns(table)) is not None]
    if not found:
        raise DataError(f"{name} has no column of UK SIC 2007 codes with a text beside it", _HINT)
    return max(found, key=lambda pair: sum(_code(row, pair[1]) is not None for row in pair[0]))


def _find_columns(table: Table) -> _Columns | None:
    """Tell the columns by their content: codes of 2007, older codes, and the text with the most letters."""
    sample = [row for row in table if any(row)][:_SAMPLE_ROWS]
    width = max((len(row) for row in sample), default=0)
    cells = [[row[at] if at < len(row) else "" for row in sample] for at in range(width)]
    valid = [sum(parse_code(cell) is not None for cell in column) for column in cells]
    shaped = [sum(_LOOKS_LIKE_CODE.fullmatch(cell) is not None for cell in column) for column in cells]
    letters = [sum(map(str.isalpha, "".join(column))) for column in cells]
    code_like = [at for at in range(width) if valid[at] and shaped[at] * 2 >= sum(map(bool, cells[at]))]
    texts = [at for at in range(width) if at not in code_like and letters[at]]
    if not code_like or not texts:
        return None
    # Codes of SIC 2003 pass for 2007 ones mostly but not always; a header that names its year settles it.
    headers = _headers(cells, max(code_like, key=lambda at: (valid[at], -at)))
    named = [at for at in code_like if "2007" in headers[at]]
    code = max(named or code_like, key=lambda at: (valid[at], -at))
    others = [at for at in code_like if at != code]
    old = next((at for at in others if "2003" in headers[at]), others[0] if len(others) == 1 else None)
    activities = [at for at in texts if "activit" in headers[at] or "descri" in headers[at]]
    # A column with "01110" in it keeps its zeros, so its four-digit codes are classes, not codes without their zero.
    zero_lost = not any(re.fullmatch(r"0\d{4}", cell) for cell in cells[code])
    return _Columns(code, max(activities or texts, key=lambda at: (letters[at], -at)), old, zero_lost)


def _headers(cells: list[list[str]], code: int) -> list[str]:
    """Return what stands above the first code in each column, in lower case."""
    first = next((at for at, cell in enumerate(cells[code]) if parse_code(cell)), 0)
    return [" ".join(column[:first]).lower() for column in cells]


def _checked_rows(table: Table, columns: _Columns) -> tuple[list[tuple[str, str, str, str]], list[Reject]]:
    """Return the rows to write and the refused ones. Lines before the first code are title and header."""
    rows: list[tuple[str, str, str, str]] = []
    rejects: list[Reject] = []
    seen: dict[tuple[str, str], int] = {}
    for line, row in enumerate(table, start=1):
        code = _code(row, columns)
        if not any(row) or (code is None and not rows and not rejects and not _has_digits(row, columns)):
            continue
        text = " ".join(_at(row, columns.text).split())
        key = (code or "", text.casefold())
        reason = _fault(_at(row, columns.code), code, text)
        if reason is None and key in seen:
            reason = f"the same code and activity as line {seen[key]}"
        if reason is not None or code is None:
            rejects.append(Reject(line, reason or ""))
            continue
        seen[key] = line
        old = _at(row, columns.old_code).removesuffix(".0") if columns.old_code is not None else ""
        rows.append((code, old, text, section_of(code)))
    return rows, rejects


def _fault(raw: str, code: str | None, text: str) -> str | None:
    if code is None:
        return f"{raw[:40]!r} is not a five-digit UK SIC 2007 code" if raw else "no code"
    if not any(map(str.isalpha, text)):
        return "no activity text"
    if len(text) > _MAX_ACTIVITY:
        return f"the activity is longer than {_MAX_ACTIVITY} characters"
    return None


def _at(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _code(row: list[str], columns: _Columns) -> str | None:
    return parse_code(_at(row, columns.code), zero_lost=columns.zero_lost)


def _has_digits(row: list[str], columns: _Columns) -> bool:
    return _LOOKS_LIKE_CODE.fullmatch(_at(row, columns.code)) is not None


def _csv(rows: list[tuple[str, str, str, str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("sic2007", "sic2003", "activity", "section"))
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def _write(path: Path, data: bytes) -> None:
    """Write beside the file and rename, so that a reader sees the old or the new content, never a part."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
            os.fchmod(target.fileno(), 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
