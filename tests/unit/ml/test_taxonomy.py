"""The tree of codes, and what it refuses to be built from."""

from __future__ import annotations

import pytest

from onai.ml.errors import DataError, UnknownCodeError
from onai.ml.taxonomy import Row, Taxonomy


def test_walks_up_and_down(tree: Taxonomy) -> None:
    assert tree.roots == ("F", "T")
    assert tree.children("F") == ("F1", "F2")
    assert tree.children("F1") == ()
    assert tree.parent("F1") == "F"
    assert tree.parent("F") is None
    assert tree.path("T2") == ("T", "T2")
    assert tree.level("T2") == "trade"
    assert tree.at_level("T2", "sector") == "T"
    assert tree.at_level("T", "trade") == "T"
    assert tree.codes == ("F", "F1", "F2", "T", "T1", "T2")
    assert "F1" in tree
    assert "F9" not in tree
    assert len(tree) == 6


def test_order_of_rows_does_not_matter(tree: Taxonomy) -> None:
    again = Taxonomy(reversed(tree.rows()), levels=tree.levels)
    assert again.rows() == tree.rows()


def test_best_title_falls_back_to_the_nearest_ancestor() -> None:
    tree = Taxonomy([("a", None, "Top"), ("b", "a", ""), ("c", "b", ""), ("d", None, "")])
    assert tree.title("c") == ""
    assert tree.best_title("c") == "Top"
    assert tree.best_title("d") == ""
    assert tree.levels == ("level1", "level2", "level3")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one code"),
        ([("a", "b", "")], "parent 'b' of 'a' is not in the table"),
        ([("a", "b", ""), ("b", "a", "")], "circle"),
        ([("r", None, ""), ("a", "a", "")], "circle"),
        ([("a", None, ""), ("b", None, ""), ("b", "a", "")], "two parents"),
    ],
)
def test_broken_tables_are_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Taxonomy(rows)


def test_level_names_are_checked(tree: Taxonomy) -> None:
    with pytest.raises(DataError, match="2 levels but 1 names"):
        Taxonomy(tree.rows(), levels=("one",))
    with pytest.raises(DataError, match="must differ"):
        Taxonomy(tree.rows(), levels=("one", "one"))


def test_unknown_codes_say_what_a_code_looks_like(tree: Taxonomy) -> None:
    for ask in (tree.parent, tree.children, tree.level, tree.title, tree.path):
        with pytest.raises(UnknownCodeError, match="'F9' is not a code of toy") as caught:
            ask("F9")
        assert "'T2'" in caught.value.hint


def test_digits_are_a_decimal_classification() -> None:
    tree = Taxonomy.from_codes(["01110", "0112", "62"])
    assert tree.levels == ("2-digit", "3-digit", "4-digit", "5-digit")
    assert tree.path("01110") == ("01", "011", "0111", "01110")
    assert tree.children("011") == ("0111", "0112")


def test_one_digit_codes_head_their_own_branch() -> None:
    assert Taxonomy.from_codes(["1", "12"]).path("12") == ("1", "12")


def test_other_codes_are_a_flat_list() -> None:
    tree = Taxonomy.from_codes(["bank", "shop", "12"])
    assert tree.levels == ("code",)
    assert tree.roots == ("12", "bank", "shop")
