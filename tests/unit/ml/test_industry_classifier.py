"""The estimator as its users see it: what it learns, what it returns, what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from onai.ml.errors import ConfigError, DataError, NotFittedError, UnknownCodeError
from onai.ml.industry import IndustryClassifier
from onai.ml.taxonomy import Taxonomy

Rows = tuple[list[str], list[str]]


def test_learns_what_it_was_shown(model: IndustryClassifier, rows: Rows) -> None:
    texts, codes = rows
    assert model.predict(texts).tolist() == codes
    assert model.predict(["a bakery for cake"]).tolist() == ["F1"]
    assert model.predict(["a bakery for cake"], level="sector").tolist() == ["F"]


def test_equal_seeds_give_equal_models_and_others_do_not(small: dict[str, Any], rows: Rows) -> None:
    first, second = (IndustryClassifier(**small).fit(*rows).predict_proba(rows[0]) for _ in range(2))
    other = IndustryClassifier(**small, seed=5).fit(*rows).predict_proba(rows[0])
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_callback_hears_every_epoch_and_the_loss_falls(small: dict[str, Any], rows: Rows) -> None:
    heard: list[tuple[int, float]] = []
    model = IndustryClassifier(**small).fit(*rows, callback=lambda epoch, loss: heard.append((epoch, loss)))
    assert [epoch for epoch, _ in heard] == list(range(1, 11))
    assert heard[-1][1] < heard[0][1] / 2
    assert model.history_ == [loss for _, loss in heard]


def test_a_label_at_a_parent_trains_the_parent(tree: Taxonomy, small: dict[str, Any], rows: Rows) -> None:
    texts, codes = rows
    coarse = ["quarry and gravel"] * 6
    model = IndustryClassifier(**small).fit(texts + coarse, codes + ["T"] * 6)
    assert model.classes_.tolist() == ["F1", "F2", "T1", "T2"]
    sector = dict(
        zip(model.level_classes("sector").tolist(), model.predict_proba(coarse[:1], "sector")[0], strict=True)
    )
    assert sector["T"] > 0.8
    leaves = dict(zip(model.classes_.tolist(), model.predict_proba(coarse[:1])[0], strict=True))
    assert max(leaves["T1"], leaves["T2"]) < 0.8  # nothing said which of the two


def test_a_coarse_leaf_stands_for_itself_below(small: dict[str, Any], rows: Rows) -> None:
    keep = [at for at, code in enumerate(rows[1]) if code.startswith("F")]
    texts = [rows[0][at] for at in keep] + ["ferry and boat"] * 8
    model = IndustryClassifier(**small).fit(texts, [rows[1][at] for at in keep] + ["T"] * 8)
    assert model.classes_.tolist() == ["F1", "F2", "T"]
    assert model.level_classes("trade").tolist() == ["F1", "F2", "T"]
    assert model.level_classes("sector").tolist() == ["F", "T"]
    assert model.predict(["ferry"]).tolist() == ["T"]


def test_titles_of_the_taxonomy_are_learned(small: dict[str, Any], rows: Rows) -> None:
    with_titles = IndustryClassifier(**small).fit(*rows)
    without = IndustryClassifier(**small, titles=False).fit(*rows)
    column = with_titles.classes_.tolist().index("F2")
    assert with_titles.predict_proba(["butchers"])[0, column] > without.predict_proba(["butchers"])[0, column]
    assert with_titles.predict(["transport"], level="sector").tolist() == ["T"]
    assert without.explain("transport").words[0].contribution != with_titles.explain("transport").words[0].contribution


def test_sample_weight_decides_between_contradicting_rows(small: dict[str, Any]) -> None:
    texts, codes = ["kebab shop"] * 8, ["F1", "F2"] * 4
    for favoured, weights in (("F1", [9.0, 1.0] * 4), ("F2", [1.0, 9.0] * 4)):
        model = IndustryClassifier(**small).fit(texts, codes, sample_weight=weights)
        assert model.predict(["kebab shop"]).tolist() == [favoured]


def test_one_class_is_certain(small: dict[str, Any]) -> None:
    model = IndustryClassifier(**small).fit(["bread", "cake"], ["F1", "F1"])
    np.testing.assert_allclose(model.predict_proba(["anything", ""]), [[1.0], [1.0]])


def test_a_failed_fit_keeps_the_old_model(small: dict[str, Any], rows: Rows) -> None:
    model = IndustryClassifier(**small).fit(*rows)
    before = model.predict_proba(rows[0])
    with pytest.raises(UnknownCodeError):
        model.fit(["x"], ["nowhere"])
    np.testing.assert_array_equal(model.predict_proba(rows[0]), before)


def test_without_a_taxonomy_the_digits_are_read(rows: Rows) -> None:
    digits = {"F1": "1011", "F2": "1012", "T1": "4931", "T2": "5010"}
    model = IndustryClassifier(dim=16, bits=12, epochs=8).fit(rows[0], [digits[code] for code in rows[1]])
    assert model.taxonomy_.levels == ("2-digit", "3-digit", "4-digit")
    assert model.level_classes("2-digit").tolist() == ["10", "49", "50"]


def test_columns_of_every_kind_are_the_same_column(model: IndustryClassifier, rows: Rows) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas: install the spark extra")
    texts, codes = rows
    expected = model.predict(texts).tolist()
    columns = [
        np.array(texts),
        np.array(texts, dtype=object),
        pa.array(texts),
        pa.chunked_array([texts[:3], texts[3:]]),
    ]
    columns += [
        pandas.Series(texts, index=range(100, 100 + len(texts))),
        pandas.Series(texts, dtype="category"),
        tuple(texts),
    ]
    for column in columns:
        assert model.predict(column).tolist() == expected
    assert model.evaluate(pandas.Series(texts), pa.array(codes)).accuracy["trade"] == 1.0


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one text", "one text, not a column"),
        ([None], "missing texts in rows 0"),
        (["a", float("nan")], "missing texts in rows 1"),
        ([1, 2], "row 0 of X is int"),
        (np.array([1.5]), "row 0 of X is float"),
        ([["a"]], "more than one dimension"),
        ({"a": "b"}, "not a column"),
        (pa.table({"text": ["a"]}), "more than one dimension"),
        (np.array("a"), "not a column"),
        (None, "not a column"),
        ([b"bytes"], "row 0 of X is bytes"),
    ],
)
def test_bad_texts_are_refused_with_the_row(model: IndustryClassifier, X: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        model.predict(X)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["F1"], "X has 2 rows and y has 1"),
        ([1110, 1120], "not a code"),
        (["F1", None], "missing codes in rows 1"),
        ("F1", "one code"),
        (["F1", "F9"], "'F9' is not a code of toy"),
    ],
)
def test_bad_codes_are_refused(small: dict[str, Any], y: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        IndustryClassifier(**small).fit(["a", "b"], y)


@pytest.mark.parametrize("weight", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("inf")], ["a", "b"], [[1.0, 2.0]]])
def test_bad_weights_are_refused(small: dict[str, Any], weight: object) -> None:
    with pytest.raises(DataError):
        IndustryClassifier(**small).fit(["a", "b"], ["F1", "F2"], sample_weight=weight)


def test_no_rows(small: dict[str, Any], model: IndustryClassifier) -> None:
    with pytest.raises(DataError, match="no rows"):
        IndustryClassifier(**small).fit([], [])
    with pytest.raises(DataError, match="no rows"):
        model.evaluate([], [])
    assert model.predict([]).tolist() == []
    assert model.predict_proba([], level="sector").shape == (0, 2)
    assert model.predict_top([]) == []


def test_empty_and_unknown_texts_get_the_prior(model: IndustryClassifier) -> None:
    empty, unknown, punctuation = model.predict_proba(["", "zzzzqqqq" * 3, "?!"])
    np.testing.assert_allclose(empty, punctuation)
    assert np.isfinite(unknown).all()
    np.testing.assert_allclose(empty.sum(), 1, rtol=1e-6)


def test_a_megabyte_of_text_is_read_up_to_the_limit(model: IndustryClassifier) -> None:
    long = "bread and cake " * 70_000
    assert len(long) > 1_000_000
    assert model.predict([long, "x" * 1_000_000]).shape == (2,)
    assert model.predict([long]).tolist() == ["F1"]
    assert model.predict(["bread " * 4000 + "taxi " * 300_000]).tolist() == ["F1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("dim", 0), ("epochs", 0), ("dropout", 1.0), ("learning_rate", -1), ("chars", (5, 3)), ("bits", "x")],
)
def test_bad_hyperparameters_are_named(rows: Rows, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        IndustryClassifier().set_params(**{name: value}).fit(*rows)


def test_scikit_learn_conventions(small: dict[str, Any]) -> None:
    model = IndustryClassifier(**small)
    params: dict[str, Any] = model.get_params()
    assert params["dim"] == 16
    assert params["taxonomy"] is small["taxonomy"]
    clone = type(model)(**params)
    assert clone.get_params() == params
    assert clone.set_params(dim=8, seed=np.int64(3)) is clone
    assert clone.dim == 8
    with pytest.raises(ConfigError, match="no hyperparameter 'depth'"):
        clone.set_params(depth=3)
    assert repr(IndustryClassifier(dim=8)) == "IndustryClassifier(dim=8)"
    assert not [name for name in vars(model) if name.endswith("_")]


def test_nothing_works_before_fit() -> None:
    model = IndustryClassifier()
    calls: list[Callable[[], object]] = [
        lambda: model.predict(["a"]),
        lambda: model.predict_proba(["a"]),
        lambda: model.evaluate(["a"], ["b"]),
        lambda: model.explain("a"),
        lambda: model.save("never"),
    ]
    for call in calls:
        with pytest.raises(NotFittedError):
            call()


def test_unknown_level_and_k(model: IndustryClassifier) -> None:
    with pytest.raises(DataError, match="no level 'county'"):
        model.predict(["bread"], level="county")
    with pytest.raises(DataError, match="k must be"):
        model.predict_top(["bread"], k=0)


def test_top_is_sorted_and_agrees_with_predict(model: IndustryClassifier) -> None:
    (found,) = model.predict_top(["taxi and cake"], k=10)
    assert len(found) == 4
    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert found[0][0] == model.predict(["taxi and cake"])[0]


def test_evaluate_counts_each_label_down_to_its_own_level(model: IndustryClassifier) -> None:
    report = model.evaluate(["bread and cake", "taxi and cab", "ferry and boat"], ["F1", "T1", "F"])
    assert report.accuracy == {"sector": pytest.approx(2 / 3), "trade": 1.0}
    assert [score.rows for score in report.levels] == [3, 2]
    assert report.unseen == 0
    assert report.top_5 == 1.0
    assert "trade" in str(report)
    assert report.to_dict()["rows"] == 3


def test_evaluate_counts_a_code_it_never_saw_as_wrong_at_its_level_only(small: dict[str, Any], rows: Rows) -> None:
    texts, codes = zip(*[pair for pair in zip(*rows, strict=True) if pair[1] != "T2"], strict=True)
    report = IndustryClassifier(**small).fit(texts, codes).evaluate(["taxi and ferry cab"], ["T2"])
    assert report.accuracy == {"sector": 1.0, "trade": 0.0}
    assert (report.unseen, report.top_5, report.log_loss) == (1, 0.0, None)


def test_explanation_adds_up_to_the_score(model: IndustryClassifier) -> None:
    why = model.explain("Fresh cake, bread & taxi")
    assert why.code == model.predict(["Fresh cake, bread & taxi"])[0]
    assert why.title == "Bakers"
    assert why.score == pytest.approx(why.bias + sum(item.contribution for item in why.ngrams))
    assert [word.text for word in why.words] == ["fresh", "cake", "bread", "and", "taxi"]
    assert sum(word.contribution for word in why.words) == pytest.approx(sum(n.contribution for n in why.ngrams))
    by_word = {word.text: word.contribution for word in why.words}
    assert by_word["cake"] > 0 > by_word["taxi"]
    assert why.nearest[0].code == "F1"
    sizes = [abs(item.contribution) for item in why.ngrams]
    assert sizes == sorted(sizes, reverse=True)


def test_scores_of_all_codes_are_the_model(model: IndustryClassifier) -> None:
    text = "minicab to the harbour"
    scores = np.array([model.explain(text, code=code).score for code in model.classes_.tolist()])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(model.predict_proba([text])[0], expected, rtol=1e-4)


def test_explain_at_the_edges(model: IndustryClassifier) -> None:
    assert model.explain("").ngrams == ()
    assert model.explain("").nearest == ()
    with pytest.raises(UnknownCodeError):
        model.explain("bread", code="F")
    with pytest.raises(DataError, match="one text"):
        model.explain(["bread"])  # type: ignore[arg-type]


def test_import_brings_in_nothing_heavy() -> None:
    heavy = "{'pandas', 'scipy', 'sklearn', 'torch', 'openpyxl', 'pyspark', 'onaiml_cli'}"
    code = f"import sys, onai.ml.industry, onai.ml.data; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
