"""Finds labelled company texts: the reader's own copy of the official index first, a small sample last.

The package carries no copy of the index; whoever wants it imports the file they downloaded (`onai.ml.data import`).
The sample is there so that everything runs on the first day, and every dataset says which of the two it is.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from onai.ml.data.uksic import build_taxonomy
from onai.ml.errors import DataError
from onai.ml.taxonomy import Taxonomy

INDEX_FILE = "uksic2007_index.csv"
STRUCTURE_FILE = "uksic2007_structure.csv"
SOURCE_FILE = "SOURCE.json"
OGL_ATTRIBUTION = (
    "UK SIC 2007 alphabetical index, Office for National Statistics. "
    "Contains public sector information licensed under the Open Government Licence v3.0."
)
SAMPLE_ATTRIBUTION = "Sample descriptions written for onaiml; not official data."
_HOW = (
    "Download the UK SIC 2007 alphabetical index from the Office for National Statistics (csv or xlsx) and run "
    "`python -m onai.ml.data import FILE`."
)


@dataclass(frozen=True)
class Dataset:
    """`n` labelled texts. `texts` and `codes` (n,) belong together row by row; codes are in `taxonomy`.

    `source` says in words where they come from, `attribution` is the line to print with any result.
    """

    texts: tuple[str, ...] = field(repr=False)
    codes: tuple[str, ...] = field(repr=False)
    taxonomy: Taxonomy
    source: str
    attribution: str

    def __len__(self) -> int:
        return len(self.texts)


def user_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that imports go to: `$XDG_DATA_HOME/onaiml/data/uksic2007`."""
    base = environ.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
    return root / "onaiml" / "data" / "uksic2007"


def load_uksic2007(environ: Mapping[str, str] = os.environ) -> Dataset:
    """Return the full index, 5-digit codes. Looks in `$ONAIML_DATA_HOME/uksic2007`, then in `user_folder()`.

    Raises `DataError` when there is none or a file is not a normalised index; the hint says how to get one.
    """
    folder = _index_folder(environ)
    if folder is None:
        raise DataError("the UK SIC 2007 index is not on this machine", _HOW)
    return _index(folder)


def load_companies(environ: Mapping[str, str] = os.environ) -> Dataset:
    """Return the full index when it is on this machine, else the packaged sample (labelled by division).

    Raises `DataError` for an index that is there but damaged: the sample would hide the fault.
    """
    folder = _index_folder(environ)
    return _index(folder) if folder is not None else load_sample()


def load_sample() -> Dataset:
    """Return the packaged sample: short descriptions labelled with their division. Raises `DataError`."""
    file = resources.files("onai.ml.data").joinpath("samples", "companies.csv")
    if not file.is_file():
        raise DataError("the packaged sample is missing from this installation", _HOW)
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
    texts, codes = _columns(rows, "description", "division", "companies.csv")
    return Dataset(texts, codes, build_taxonomy(codes), f"packaged sample ({len(texts):,} rows)", SAMPLE_ATTRIBUTION)


def _index_folder(environ: Mapping[str, str]) -> Path | None:
    home = environ.get("ONAIML_DATA_HOME", "")
    folders = [Path(home) / "uksic2007"] if home else []
    return next((at for at in (*folders, user_folder(environ)) if (at / INDEX_FILE).is_file()), None)


def _index(folder: Path) -> Dataset:
    try:
        with open(folder / INDEX_FILE, newline="", encoding="utf-8-sig") as source:
            rows = list(csv.DictReader(source))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{INDEX_FILE} cannot be read: {error}", "Import the official file again.") from None
    texts, codes = _columns(rows, "activity", "sic2007", INDEX_FILE)
    structure = folder / STRUCTURE_FILE
    taxonomy = build_taxonomy(codes, structure if structure.is_file() else None)
    return Dataset(texts, codes, taxonomy, f"UK SIC 2007 index ({len(texts):,} rows)", _attribution(folder))


def _columns(rows: list[dict[str, str]], text: str, code: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    texts, codes = (tuple((row.get(column) or "").strip() for row in rows) for column in (text, code))
    empty = next((at for at, pair in enumerate(zip(texts, codes, strict=True)) if not all(pair)), None)
    if not rows or empty is not None:
        where = "has no rows" if not rows else f"has no {text} or no {code} in row {(empty or 0) + 1}"
        raise DataError(f"{name} {where}", "Import the official file again.")
    return texts, codes


def _attribution(folder: Path) -> str:
    """Return the attribution recorded by the import, the standard one when the folder has no record."""
    try:
        return str(json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))["attribution"])
    except (OSError, ValueError, KeyError, TypeError):
        return OGL_ATTRIBUTION
