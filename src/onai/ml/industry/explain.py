"""Why a text got its code, in terms an analyst can check: the words that spoke for it, and the entries it resembles.

The score of a code is linear in the n-grams (see `model`), so the contributions below are exact: together with the
bias they add up to the score, they are not an approximation of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from onai.ml.industry.model import FloatArray, Weights, pool_scale
from onai.ml.text import NgramHasher


@dataclass(frozen=True)
class Contribution:
    """How far one n-gram (or word) moved the score of the code, above (+) or below (-) the average code."""

    text: str
    contribution: float


@dataclass(frozen=True)
class Neighbour:
    """A training entry and the cosine similarity of its vector to that of the explained text."""

    text: str
    code: str
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """`score` = `bias` + the sum of `ngrams`; `words` is the same sum, each n-gram shared among its words.

    `score` is the code's score less the mean score of all codes: 0 means as likely as the average code. `ngrams` are
    ordered by size of contribution, `words` by their place in the text, `nearest` by similarity.
    """

    text: str
    code: str
    title: str
    probability: float
    score: float
    bias: float
    ngrams: tuple[Contribution, ...]
    words: tuple[Contribution, ...]
    nearest: tuple[Neighbour, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self)


def contributions(
    text: str, leaf: int, weights: Weights, hasher: NgramHasher
) -> tuple[float, tuple[Contribution, ...], tuple[Contribution, ...]]:
    """Return bias, n-grams and words of one leaf's centred score. An n-gram never seen in training adds nothing."""
    named = hasher.named(text)
    rows = weights.rows(named.buckets)
    known = rows >= 0
    head = weights.heads[leaf] - weights.heads.mean(axis=0)
    parts = np.zeros(len(rows), np.float32)
    parts[known] = weights.vectors[rows[known]] @ head * pool_scale(np.array([known.sum()]))[0]

    by_name: dict[str, float] = {}
    by_word = np.zeros(len(named.words))
    for name, first, last, part in zip(named.names, named.first_word, named.last_word, parts.tolist(), strict=True):
        by_name[name] = by_name.get(name, 0.0) + part
        by_word[first : last + 1] += part / (last - first + 1)
    ngrams = sorted((Contribution(name, part) for name, part in by_name.items() if part), key=_by_size)
    words = tuple(Contribution(word, part) for word, part in zip(named.words, by_word.tolist(), strict=True))
    return float(weights.bias[leaf] - weights.bias.mean()), tuple(ngrams), words


def nearest(vector: FloatArray, examples: FloatArray, count: int) -> list[tuple[int, float]]:
    """Return row and cosine similarity of the `count` rows of `examples` (n, dim) nearest to `vector` (dim,)."""
    norms = np.linalg.norm(examples, axis=1) * np.linalg.norm(vector)
    similarity = (examples @ vector) / np.where(norms > 0, norms, np.inf)
    best = np.argsort(-similarity, kind="stable")[:count]
    return [(int(row), float(similarity[row])) for row in best if similarity[row] > 0]


def _by_size(item: Contribution) -> tuple[float, str]:
    return -abs(item.contribution), item.text
