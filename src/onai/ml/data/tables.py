"""Reads a table somebody else made, csv or xlsx, as rows of text: no assumption about header, encoding or columns."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

from onai.ml.errors import DataError

SIZE_LIMIT = 64 << 20
_UNPACKED_LIMIT = 512 << 20
_ROW_LIMIT = 500_000
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SAVE_AS = "Save it as .xlsx or .csv (UTF-8) and import that."

Table = list[list[str]]


def read_tables(path: Path, data: bytes) -> list[Table]:
    """Return the tables in a file: one a sheet for an xlsx, one a possible delimiter for a csv. Cells are stripped.

    The kind is told from the content, not from the name. Raises `DataError` for anything else.
    """
    if data.startswith(b"PK\x03\x04"):
        return _sheets(path, data)
    if data.startswith(_OLD_EXCEL):
        raise DataError(f"{path.name} is an old Excel file (.xls)", _SAVE_AS)
    if b"\0" in data[:4096]:
        raise DataError(f"{path.name} is neither csv nor xlsx", _SAVE_AS)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # what spreadsheets on Windows write by default
    return _delimited(path, text)


def _delimited(path: Path, text: str) -> list[Table]:
    """Return the text read once with each delimiter it holds; the reader of the table knows which one makes sense.

    Counting delimiters would guess wrong: activities are full of commas.
    """
    tables: list[Table] = []
    fault = ""
    for delimiter in ",;\t":
        if delimiter not in text:
            continue
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            tables.append([[cell.strip() for cell in row] for row in rows])
        except csv.Error as error:
            fault = str(error)
    if fault and not tables:
        raise DataError(f"{path.name} is not a csv file: {fault}", _SAVE_AS)
    return tables


def _sheets(path: Path, data: bytes) -> list[Table]:
    try:
        import openpyxl  # heavy, and only this path needs it
    except ImportError:
        raise DataError("reading xlsx needs openpyxl", "Save the file as csv, or install the notebook extra.") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _UNPACKED_LIMIT:
                raise DataError(f"{path.name} unpacks to more than {_UNPACKED_LIMIT >> 20} MiB", _SAVE_AS)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            return [
                [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True, max_row=_ROW_LIMIT)]
                for sheet in book.worksheets
            ]
        finally:
            book.close()
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - openpyxl lets errors of zip, XML and its own parsing through
        raise DataError(f"{path.name} is not a readable xlsx file ({type(error).__name__})", _SAVE_AS) from None


def _cell(value: object) -> str:
    return "" if value is None else str(value).strip()
