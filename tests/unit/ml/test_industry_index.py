"""The promise about accuracy, on the official index."""

from __future__ import annotations

from onai.ml.data import Dataset, split_by_code
from onai.ml.industry import IndustryClassifier


def test_default_model_reaches_its_accuracy_on_the_official_index(index: Dataset) -> None:
    split = split_by_code(index.codes, seed=13)
    train, test = split.train.tolist(), split.test.tolist()
    assert (len(train), len(test)) == (12_769, 3_188)
    model = IndustryClassifier(taxonomy=index.taxonomy)
    model.fit([index.texts[row] for row in train], [index.codes[row] for row in train])
    report = model.evaluate([index.texts[row] for row in test], [index.codes[row] for row in test])
    assert report.accuracy["subclass"] >= 0.64
    assert report.accuracy["class"] >= 0.65
    assert report.accuracy["section"] >= 0.93
    assert report.top_5 >= 0.82
