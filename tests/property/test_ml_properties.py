"""What must hold for every text and every tree, not only for the examples of the unit tests."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onai.ml.data.split import split_by_code
from onai.ml.errors import ArtifactError
from onai.ml.industry import IndustryClassifier, tensors
from onai.ml.taxonomy import Taxonomy
from onai.ml.text import NgramHasher, normalise

TEXTS = st.lists(st.text(max_size=60) | st.sampled_from(["bread", "taxi cab", "a bank", ""]), min_size=1, max_size=12)
WORDS = ("bread", "meat", "taxi", "ferry", "bank", "school")
# Branches of unequal depth, a node with one child, labels at every level.
ROWS = [
    ("A", None),
    ("A1", "A"),
    ("A11", "A1"),
    ("A12", "A1"),
    ("A2", "A"),
    ("B", None),
    ("B1", "B"),
    ("B11", "B1"),
    ("C", None),
]
LABELS = ("A11", "A12", "A2", "B11", "C", "A1")


@cache
def _model() -> IndustryClassifier:
    tree = Taxonomy([(code, parent, "") for code, parent in ROWS], levels=("top", "mid", "low"))
    texts = [f"{word} {other}" for word in WORDS for other in WORDS]
    codes = [label for label in LABELS for _ in WORDS]
    return IndustryClassifier(taxonomy=tree, dim=8, bits=10, epochs=6).fit(texts, codes)


@settings(deadline=None)
@given(TEXTS)
def test_probabilities_sum_to_one_and_parents_are_the_sum_of_their_children(texts: list[str]) -> None:
    model = _model()
    for finer, coarser in (("low", "mid"), ("mid", "top")):
        below, above = model.predict_proba(texts, finer), model.predict_proba(texts, coarser)
        np.testing.assert_allclose(below.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(above.sum(axis=1), 1, rtol=1e-5)
        summed = np.zeros_like(above)
        parents = model.level_classes(coarser).tolist()
        for column, code in enumerate(model.level_classes(finer).tolist()):
            summed[:, parents.index(model.taxonomy_.at_level(code, coarser))] += below[:, column]
        np.testing.assert_allclose(summed, above, rtol=1e-5, atol=1e-7)


@settings(deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_a_prediction_does_not_depend_on_its_neighbours(texts: list[str], random: object) -> None:
    model = _model()
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    together = model.predict_proba(texts)
    np.testing.assert_allclose(model.predict_proba([texts[at] for at in order]), together[order], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.predict_proba(texts[:1]), together[:1], rtol=1e-5, atol=1e-7)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == " ".join(once.split())


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_hashing_is_by_row(texts: list[str]) -> None:
    hasher = NgramHasher(bits=16)
    bags = hasher(texts)
    assert len(bags) == len(texts)
    assert bags.offsets[-1] == len(bags.buckets)
    for row, text in enumerate(texts):
        own = bags.buckets[bags.offsets[row] : bags.offsets[row + 1]]
        np.testing.assert_array_equal(own, hasher.named(text).buckets)
        np.testing.assert_array_equal(own, hasher([normalise(text)]).buckets)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_reasons_add_up(text: str) -> None:
    why = _model().explain(text)
    assert why.score == pytest.approx(why.bias + sum(item.contribution for item in why.ngrams), abs=1e-4)
    assert sum(word.contribution for word in why.words) == pytest.approx(why.score - why.bias, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_a_loaded_model_answers_alike(texts: list[str]) -> None:
    np.testing.assert_array_equal(_loaded().predict_proba(texts), _model().predict_proba(texts))


@cache
def _loaded() -> IndustryClassifier:
    with tempfile.TemporaryDirectory() as folder:
        _model().save(Path(folder) / "model")
        return IndustryClassifier.load(Path(folder) / "model")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        model_id = _model().save(folder)
        name = data.draw(st.sampled_from(sorted(file.name for file in folder.iterdir())))
        content = bytearray((folder / name).read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        (folder / name).write_bytes(content)
        with pytest.raises(ArtifactError):
            IndustryClassifier.load(folder, expected_id=model_id)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_the_weights_reader_survives_any_bytes(data: bytes) -> None:
    with suppress(ArtifactError):
        tensors.parse(data)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=80), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_split_is_a_partition_with_every_code_in_training(codes: list[str], share: float, seed: int) -> None:
    split = split_by_code(codes, test_share=share, seed=seed)
    assert sorted([*split.train.tolist(), *split.test.tolist()]) == list(range(len(codes)))
    assert {codes[row] for row in split.train.tolist()} == set(codes)


@settings(deadline=None)
@given(st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=30))
def test_a_tree_of_digits_holds_every_code_under_its_prefixes(codes: list[str]) -> None:
    tree = Taxonomy.from_codes(codes)
    for code in codes:
        path = tree.path(code)
        assert path[-1] == code
        assert all(child.startswith(parent) for parent, child in pairwise(path))
    assert Taxonomy(tree.rows(), levels=tree.levels).rows() == tree.rows()
