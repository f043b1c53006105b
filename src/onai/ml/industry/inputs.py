"""Turns what people hold (lists, NumPy, pandas, Arrow) into plain lists, and refuses what cannot be meant.

Columns are recognised by what they can do, so neither pandas nor a particular Arrow build is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from onai.ml.errors import DataError

_SHOWN = 5


def texts_of(X: object) -> list[str]:
    """Return the texts of a column of `n` strings. `""` is allowed, a missing value is not. Raises `DataError`."""
    if isinstance(X, (str, bytes)):
        raise DataError("X is one text, not a column of texts", "Wrap it: predict([text]).")
    values = _column(X, "X")
    _refuse_missing(values, "texts", "Fill them first; an empty text gets the model's prior.")
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"row {row} of X is {type(value).__name__}, not text", "Pass strings.")
    return [str(value) for value in values]


def codes_of(y: object, count: int) -> list[str]:
    """Return the `count` codes of a column of strings. Raises `DataError`."""
    if isinstance(y, (str, bytes)):
        raise DataError("y is one code, not a column of codes", "Pass one code for each text.")
    values = _column(y, "y")
    if len(values) != count:
        raise DataError(f"X has {count} rows and y has {len(values)}", "Give one code for each text.")
    _refuse_missing(values, "codes", "Drop the rows without a code before fit.")
    for row, value in enumerate(values):
        if not isinstance(value, str):
            hint = "Codes are strings: read the column as text, or the leading zero of '01110' is lost."
            raise DataError(f"row {row} of y is {type(value).__name__} ({value!r}), not a code", hint)
    return [str(value) for value in values]


def weights_of(sample_weight: object, count: int) -> NDArray[np.float32]:
    """Return (count,) weights with mean one. Raises `DataError` unless finite, not negative and not all zero."""
    if sample_weight is None:
        return np.ones(count, np.float32)
    try:
        weights = np.asarray(_column(sample_weight, "sample_weight"), dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("sample_weight must be numbers", "Give one number for each text.") from None
    if weights.shape != (count,):
        raise DataError(f"X has {count} rows and sample_weight has {len(weights)}", "Give one weight for each text.")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise DataError("sample_weight must be finite, not negative and not all zero")
    scaled: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return scaled


def _column(values: object, name: str) -> Sequence[object]:
    for method in ("to_pylist", "tolist"):  # Arrow, then NumPy and pandas
        convert = getattr(values, method, None)
        if callable(convert):
            values = convert()
            break
    if (
        isinstance(values, (str, bytes, dict, set, frozenset))
        or hasattr(values, "columns")
        or not isinstance(values, Iterable)
    ):
        raise DataError(f"{name} is {type(values).__name__}, not a column", f"Pass one column: {name}=table['column'].")
    column = list(values)
    if column and isinstance(column[0], (list, tuple, dict)):
        raise DataError(f"{name} has more than one dimension", "Pass one column of values.")
    return column


def _refuse_missing(values: Sequence[object], what: str, hint: str) -> None:
    rows = [row for row, value in enumerate(values) if _is_missing(value)]
    if rows:
        more = "" if len(rows) <= _SHOWN else f" and {len(rows) - _SHOWN} more"
        raise DataError(f"missing {what} in rows {', '.join(map(str, rows[:_SHOWN]))}{more}", hint)


def _is_missing(value: object) -> bool:
    # pandas' own missing values cannot be compared, so they are known by name: pandas may not be installed.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)
