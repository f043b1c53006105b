"""Normalising and hashing: what counts as the same text."""

from __future__ import annotations

import numpy as np
import pytest

from onai.ml.errors import ConfigError
from onai.ml.text import NgramHasher, normalise

GOLDEN = [63968, 24604, 25697, 126900, 21219, 25892, 57929, 5964, 99539, 9231, 103329, 109001, 17075]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abattoir (manufacture)", "abattoir manufacture"),
        ("CAFÉ Zoë Ltd.", "cafe zoe"),
        ("Ｆｕｌｌ－ｗｉｄｔｈ ﬁsh", "full width fish"),
        ("Straße", "strasse"),
        ("Smith's & Sons Limited", "smiths and sons"),
        ("The Water Company", "the water company"),
        ("Northern Water Co. Ltd", "northern water"),
        ("Acme Public Limited Company", "acme public limited company"),
        ("Müller G.m.b.H.", "muller"),
        ("Health spa", "health spa"),
        ("LIMITED", "limited"),
        ("Ltd Edition Prints", "ltd edition prints"),
        ("snake_case\tand\nlines", "snake case and lines"),
        ("Ъ, 東京 and 2³", "ъ 東京 and 23"),
        ("  ", ""),
        ("?!", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_a_row_depends_on_its_own_text_only() -> None:
    hasher = NgramHasher(bits=20)
    texts = ["bread and cake", "", "taxi", "x", "?", "bread and cake", "ferry boat"]
    together = hasher(texts)
    for row, text in enumerate(texts):
        alone = hasher([text])
        np.testing.assert_array_equal(
            together.buckets[together.offsets[row] : together.offsets[row + 1]], alone.buckets
        )


def test_many_chunks_are_one_batch() -> None:
    hasher = NgramHasher(bits=16)
    texts = [f"company number {n} " * 300 for n in range(400)]
    together = hasher(texts)
    assert len(together) == len(texts)
    last = hasher(texts[-1:])
    np.testing.assert_array_equal(together.buckets[together.offsets[-2] :], last.buckets)


def test_grams_are_words_pairs_and_pieces_of_words() -> None:
    named = NgramHasher(chars=(3, 4)).named("Taxi (cab)")
    assert named.names[:3] == ["taxi", "cab", "taxi cab"]
    assert set(named.names[3:]) == {
        "_ta",
        "tax",
        "axi",
        "xi_",
        "_ca",
        "cab",
        "ab_",
        "_tax",
        "taxi",
        "axi_",
        "_cab",
        "cab_",
    }
    assert named.words == ["taxi", "cab"]
    touched = {name: (a, b) for name, a, b in zip(named.names, named.first_word, named.last_word, strict=True)}
    assert touched["taxi cab"] == (0, 1)
    assert touched["xi_"] == (0, 0)
    assert touched["_ca"] == (1, 1)
    assert len(named.names) == len(named.buckets)


def test_named_grams_are_the_hashed_ones() -> None:
    hasher = NgramHasher(bits=16)
    np.testing.assert_array_equal(hasher.named("Fresh bread daily").buckets, hasher(["Fresh bread daily"]).buckets)


def test_word_order_and_pairs() -> None:
    with_pairs, without = NgramHasher(bits=24), NgramHasher(bits=24, pairs=False)
    assert set(with_pairs(["a dog bites"]).buckets) != set(with_pairs(["bites a dog"]).buckets)
    assert set(without(["a dog bites"]).buckets) == set(without(["bites a dog"]).buckets)


def test_the_hash_is_part_of_every_saved_model() -> None:
    """A change of these numbers makes every model saved before it useless: raise the format version with it."""
    assert NgramHasher(bits=17)(["bread"]).buckets.tolist() == GOLDEN


def test_long_text_is_cut() -> None:
    hasher = NgramHasher(max_chars=10)
    np.testing.assert_array_equal(hasher(["bread cakes and more"]).buckets, hasher(["bread cake"]).buckets)


def test_take_picks_rows_in_order() -> None:
    bags = NgramHasher()(["bread", "", "taxi"])
    taken = bags.take(np.array([2, 1, 0, 0]))
    assert np.diff(taken.offsets).tolist() == [len(NgramHasher()([t]).buckets) for t in ("taxi", "", "bread", "bread")]
    np.testing.assert_array_equal(taken.buckets[: taken.offsets[1]], NgramHasher()(["taxi"]).buckets)


@pytest.mark.parametrize(
    "settings", [{"bits": 3}, {"bits": 31}, {"chars": (1, 3)}, {"chars": (5, 3)}, {"chars": (3, 13)}]
)
def test_bad_settings(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        NgramHasher(**settings)  # type: ignore[arg-type]
