"""The arithmetic of the classifier, apart from how it is trained: bags to vectors to probabilities.

    h = (1 / sqrt(m)) * sum of the vectors of the m known n-grams of a text      (dim,)
    z = h W^T + b                                                                (leaves,)
    p = softmax(z)

W already holds, for every leaf, the sum of its own vector and those of its ancestors; that sum is what lets a rare
code borrow from its neighbours, and folding it costs nothing when scoring. There is no layer between h and z, so a
score is an exact sum over n-grams: the explanation is the model, not an estimate of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onai.ml.text import Bags

FloatArray = NDArray[np.float32]
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Weights:
    """What training found, and all that scoring needs.

    `buckets` (v,) int32, sorted: the hash buckets seen in training. `vectors` (v, dim): their vectors.
    `heads` (leaves, dim) and `bias` (leaves,): the folded output layer.
    """

    buckets: NDArray[np.int32]
    vectors: FloatArray
    heads: FloatArray
    bias: FloatArray

    @cached_property
    def _row_of_bucket(self) -> NDArray[np.int32]:
        table = np.full(int(self.buckets[-1]) + 2 if len(self.buckets) else 1, -1, np.int32)
        table[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
        return table

    def rows(self, buckets: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the row in `vectors` of each bucket, -1 for one never seen in training."""
        table = self._row_of_bucket
        return table[np.minimum(buckets, len(table) - 1)]

    def pooled(self, bags: Bags) -> FloatArray:
        """Return h (n, dim). A text with no known n-gram is the zero vector: only the bias speaks."""
        rows = self.rows(bags.buckets)
        known = rows >= 0
        text = np.repeat(np.arange(len(bags)), np.diff(bags.offsets))[known]
        sizes = np.bincount(text, minlength=len(bags))
        return segment_sums(self.vectors[rows[known]], sizes) * pool_scale(sizes)[:, None]

    def probabilities(self, bags: Bags) -> FloatArray:
        """Return p (n, leaves); every row sums to one."""
        return softmax(self.pooled(bags) @ self.heads.T + self.bias)


def segment_sums(values: FloatArray, sizes: NDArray[np.int64]) -> FloatArray:
    """Return (n, dim): the sums of consecutive blocks of `sizes` rows of `values`, zeros for a block of none."""
    sums = np.zeros((len(sizes), values.shape[1]), np.float32)
    filled = np.flatnonzero(sizes)
    if len(filled):
        starts = np.cumsum(sizes) - sizes
        sums[filled] = np.add.reduceat(values, starts[filled], axis=0)
    return sums


def pool_scale(sizes: NDArray[np.int64]) -> FloatArray:
    """Return 1 / sqrt(m): the mean forgets how much evidence a text holds, the sum lets long texts shout."""
    scale: FloatArray = (1.0 / np.sqrt(np.maximum(sizes, 1))).astype(np.float32)
    return scale


def softmax(scores: FloatArray) -> FloatArray:
    """Return the softmax of each row; scores more than 60 below the best are held there so that no p is zero."""
    shifted: FloatArray = np.maximum(scores - scores.max(axis=1, keepdims=True), np.float32(-60))
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


def blocks(count: int) -> Iterator[slice]:
    """Yield slices over `count` rows, so that probabilities of a million texts are never in memory at once."""
    for start in range(0, count, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, count))
