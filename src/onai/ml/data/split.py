"""One way to split labelled texts, so that figures from a notebook, a test and a benchmark can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onai.ml.errors import ConfigError, DataError


@dataclass(frozen=True)
class Split:
    """Row numbers of the two parts, each sorted: `train` (a,) and `test` (b,)."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split_by_code(codes: Sequence[str], *, test_share: float = 0.2, seed: int = 13) -> Split:
    """Split rows code by code; every code keeps at least one row in training.

    Of the n rows of a code, round(n * test_share) go to the test part, but at most n - 1. The draw depends on
    `codes` and `seed` only. Raises `DataError` for no rows, `ConfigError` for a share outside 0..1.
    """
    if not len(codes):
        raise DataError("there is nothing to split: no rows")
    if not 0 < test_share < 1:
        raise ConfigError(f"test_share must lie between 0 and 1, not {test_share}", "Use 0.2.")
    random = np.random.default_rng(seed)
    rows_of: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        rows_of.setdefault(code, []).append(row)
    train: list[int] = []
    test: list[int] = []
    for code in sorted(rows_of):
        rows = random.permutation(rows_of[code]).tolist()
        held_out = min(len(rows) - 1, round(len(rows) * test_share))
        test += rows[:held_out]
        train += rows[held_out:]
    return Split(np.array(sorted(train), np.int64), np.array(sorted(test), np.int64))
