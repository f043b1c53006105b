"""Hashed n-grams of many texts at once: the slowest part of scoring, so it runs over one buffer, not over strings.

All texts are laid in one array of code points and every n-gram is a polynomial hash over a window of it. There is
no vocabulary to ship or to keep equal between a notebook, Spark and a server: the hash is the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onai.ml.errors import ConfigError
from onai.ml.text.normalise import normalise_all

_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)  # odd, so that multiplying by it loses no bits modulo 2^64
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # splitmix64 (Steele et al. 2014)
_WORD, _PAIR = 101, 102  # family seeds; a character n-gram of length n has seed n
_CHUNK_CHARS = 1 << 20  # bounds the memory of one pass: about 60 bytes a character
_SPACE = 32


@dataclass(frozen=True)
class Bags:
    """The n-grams of `n` texts, row after row.

    `buckets` (m,) int32: the bucket of each n-gram. `offsets` (n + 1,) int64: text i owns
    `buckets[offsets[i]:offsets[i + 1]]`, an empty slice when the text has no word.
    """

    buckets: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.int64]) -> Bags:
        """Return the bags of `rows` (k,), in that order."""
        sizes = self.offsets[rows + 1] - self.offsets[rows]
        offsets = _offsets(sizes)
        source = np.repeat(self.offsets[rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Bags(self.buckets[source], offsets)


@dataclass(frozen=True)
class NamedGrams:
    """The m n-grams of one text: readable `names` (`_` marks a word's edge), `buckets` (m,), and the range of
    `words` (the normalised text) that each one touches, `first_word` to `last_word` inclusive.
    """

    names: list[str]
    buckets: NDArray[np.int32]
    words: list[str]
    first_word: list[int]
    last_word: list[int]


@dataclass(frozen=True)
class NgramHasher:
    """Words, pairs of neighbouring words, and character n-grams inside words, hashed to `2 ** bits` buckets.

    `chars` is the inclusive range of character n-gram lengths. Text beyond `max_chars` characters (after
    normalising) is not read: a whole web page pasted into one field must not cost a minute.
    """

    bits: int = 17
    chars: tuple[int, int] = (3, 5)
    pairs: bool = True
    max_chars: int = 20_000

    def __post_init__(self) -> None:
        if not 4 <= self.bits <= 30:
            raise ConfigError(f"bits must be between 4 and 30, not {self.bits}", "Use 16 to 18.")
        if not 2 <= self.chars[0] <= self.chars[1] <= 12:
            raise ConfigError(f"chars must be a range within 2..12, not {self.chars}", "Use (3, 5).")

    def __call__(self, texts: Sequence[str]) -> Bags:
        """Return the bags of `texts`, normalised first. Row i depends on text i only."""
        clean = [self._cut(text) for text in normalise_all(texts)]
        parts: list[Bags] = []
        for chunk in _chunks(clean):
            buckets, rows, _, _ = self._hash(chunk)
            order = np.argsort(rows, kind="stable")
            parts.append(Bags(buckets[order], _offsets(np.bincount(rows, minlength=len(chunk)))))
        if not parts:
            return Bags(np.zeros(0, np.int32), np.zeros(1, np.int64))
        sizes = np.concatenate([np.diff(part.offsets) for part in parts])
        return Bags(np.concatenate([part.buckets for part in parts]), _offsets(sizes))

    def named(self, text: str) -> NamedGrams:
        """Return the n-grams of one text in readable form, for explanations."""
        clean = self._cut(normalise_all([text])[0])
        buckets, _, starts, stops = self._hash([clean])
        padded = f" {clean} "
        spans = list(zip(starts.tolist(), stops.tolist(), strict=True))
        # Spaces before a place count the words before it, less one for the leading space.
        words_before = np.cumsum([letter == " " for letter in padded]).tolist()
        return NamedGrams(
            names=[_readable(padded[begin:end]) for begin, end in spans],
            buckets=buckets,
            words=clean.split(),
            first_word=[words_before[begin] - 1 for begin, _ in spans],
            last_word=[words_before[end - 1] - 1 - (padded[end - 1] == " ") for _, end in spans],
        )

    def _cut(self, clean: str) -> str:
        return clean if len(clean) <= self.max_chars else clean[: self.max_chars].rstrip()

    def _hash(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return bucket, row, first and past-the-last character of every n-gram, family after family."""
        # Two spaces between texts: no window and no pair of words may reach across.
        padded = [f" {text} " for text in texts]
        code = np.frombuffer("".join(padded).encode("utf-32-le"), dtype="<u4").astype(np.uint64)
        row_of = np.repeat(np.arange(len(padded)), [len(text) for text in padded])
        space = code == _SPACE
        found: list[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]] = []

        starts = np.flatnonzero(~space[1:] & space[:-1]) + 1
        stops = np.flatnonzero(space[1:] & ~space[:-1]) + 1
        if len(starts):
            words = _word_hashes(code, starts, stops)
            found.append((_mixed(words, _WORD), starts, stops))
            if self.pairs:
                same_row = np.flatnonzero(row_of[starts[1:]] == row_of[starts[:-1]])
                joint = words[same_row] * _BASE + words[same_row + 1]
                found.append((_mixed(joint, _PAIR), starts[same_row], stops[same_row + 1]))

        spaces_before = np.concatenate(([0], np.cumsum(space)))
        window = code
        for n in range(2, self.chars[1] + 1):
            window = window[:-1] * _BASE + code[n - 1 :]
            if n < self.chars[0] or not len(window):
                continue
            first = np.arange(len(window))
            inside = spaces_before[first + n - 1] - spaces_before[first + 1]
            # A window with a space at both ends is a whole word, which the word family already has.
            at = np.flatnonzero((inside == 0) & ~(space[first] & space[first + n - 1]))
            found.append((_mixed(window[at], n), at, at + n))

        if not found:
            nothing = np.zeros(0, np.int64)
            return np.zeros(0, np.int32), nothing, nothing, nothing
        hashes, begin, end = (np.concatenate(column) for column in zip(*found, strict=True))
        buckets = (hashes >> np.uint64(64 - self.bits)).astype(np.int32)
        return buckets, row_of[begin], begin, end


def _readable(gram: str) -> str:
    at_edge = gram[:1] == " " or gram[-1:] == " "
    return gram.replace(" ", "_") if at_edge else gram


def _word_hashes(code: NDArray[np.uint64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the polynomial hash of each word: the sum of code point times base to the power of its place."""
    sizes = stops - starts
    offsets = _offsets(sizes)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    powers = np.full(int(sizes.max()), _BASE, np.uint64)
    powers[0] = 1
    powers = np.multiply.accumulate(powers)
    letters = code[np.repeat(starts, sizes) + place]
    hashes: NDArray[np.uint64] = np.add.reduceat(letters * powers[place], offsets[:-1])
    return hashes


def _mixed(values: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Spread `values` over all 64 bits (the finaliser of splitmix64), differently for each family."""
    mixed = values + np.uint64(seed << 48 | seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))


def _chunks(texts: Sequence[str]) -> list[Sequence[str]]:
    chunks: list[Sequence[str]] = []
    begin = size = 0
    for at, text in enumerate(texts):
        size += len(text) + 2
        if size > _CHUNK_CHARS:
            chunks.append(texts[begin : at + 1])
            begin, size = at + 1, 0
    if begin < len(texts):
        chunks.append(texts[begin:])
    return chunks
