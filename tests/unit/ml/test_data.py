"""Where data is found, how it is split, and UK SIC 2007 itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from onai.ml.data import Dataset, load_companies, load_sample, load_uksic2007, split_by_code
from onai.ml.data.sources import user_folder
from onai.ml.data.uksic import SECTION_OF_DIVISION, build_taxonomy, parse_code, section_of
from onai.ml.errors import ConfigError, DataError

HEADER = "sic2007,sic2003,activity,section\n"


def _put(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "uksic2007_index.csv").write_text(HEADER + text, encoding="utf-8")


def _places(tmp_path: Path) -> dict[str, str]:
    return {"ONAIML_DATA_HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "xdg")}


def test_data_home_comes_before_the_import_and_that_before_the_sample(tmp_path: Path) -> None:
    environ = _places(tmp_path)
    assert load_companies(environ).source.startswith("packaged sample")
    _put(tmp_path / "xdg" / "onaiml" / "data" / "uksic2007", "01110,01110,Wheat growing,A\n")
    assert load_companies(environ).texts == ("Wheat growing",)
    _put(tmp_path / "home" / "uksic2007", "10110,15111,Abattoir,C\n")
    found = load_companies(environ)
    assert (found.texts, found.codes) == (("Abattoir",), ("10110",))
    assert "Open Government Licence v3.0" in found.attribution
    assert found.taxonomy.path("10110") == ("C", "10", "101", "1011", "10110")
    assert load_uksic2007(environ).codes == found.codes


def test_no_index_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not on this machine") as caught:
        load_uksic2007(_places(tmp_path))
    assert "python -m onai.ml.data import" in caught.value.hint


@pytest.mark.parametrize("text", ["", "01110,01110,,A\n", "40110,,No such division,D\n"])
def test_a_damaged_index_is_not_hidden_behind_the_sample(tmp_path: Path, text: str) -> None:
    _put(tmp_path / "home" / "uksic2007", text)
    with pytest.raises(DataError):
        load_companies(_places(tmp_path))


def test_a_relative_xdg_folder_is_ignored() -> None:
    assert user_folder({"XDG_DATA_HOME": "data"}) == Path.home() / ".local" / "share" / "onaiml" / "data" / "uksic2007"


def test_the_sample_covers_every_division() -> None:
    sample = load_sample()
    assert len(sample) >= 440
    assert set(sample.codes) == set(SECTION_OF_DIVISION)
    assert sample.taxonomy.levels == ("section", "division")
    assert "texts" not in repr(sample)


def test_the_official_index(index: Dataset) -> None:
    assert len(index) == 15_957
    assert len(set(index.codes)) == 729
    levels = index.taxonomy.levels
    counts = [len({index.taxonomy.at_level(code, level) for code in set(index.codes)}) for level in levels]
    assert dict(zip(levels, counts, strict=True)) == {
        "section": 21,
        "division": 88,
        "group": 272,
        "class": 615,
        "subclass": 729,
    }


def test_official_titles_replace_the_short_ones(tmp_path: Path) -> None:
    file = tmp_path / "structure.csv"
    file.write_text("description,code\nFarming of it all,A\nGrowing rice,01120\nIn detail,10131\nClass,1013\n")
    tree = build_taxonomy(["01110"], file)
    assert tree.title("A") == "Farming of it all"
    assert tree.title("B") == "Mining and quarrying"
    assert tree.title("01120") == tree.title("0112") == "Growing rice"
    assert (tree.title("1013"), tree.title("10131")) == ("Class", "In detail")
    assert tree.best_title("01110") == "Crops and livestock"


def test_structure_without_its_columns(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="not a structure file"):
        build_taxonomy([], tmp_path / "s.csv")


def test_sections_and_divisions_are_complete() -> None:
    assert len(SECTION_OF_DIVISION) == 88
    assert len(set(SECTION_OF_DIVISION.values())) == 21
    assert section_of("33200") == "C"
    with pytest.raises(DataError, match="no division '34'"):
        section_of("34000")
    with pytest.raises(DataError, match="'abc' is not a UK SIC 2007 code"):
        build_taxonomy(["abc"])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("01110", "01110"),
        (" 01.11/0 ", "01110"),
        ("01.110", "01110"),
        ("1110", "01110"),
        ("1110.0", "01110"),
        ("62012.0", "62012"),
        ("0111", None),
        ("4711", None),
        ("34100", None),
        ("621", None),
        ("620120", None),
        ("C", None),
        ("", None),
        ("٠١١١٠", None),
    ],
)
def test_parse_code(value: str, code: str | None) -> None:
    assert parse_code(value) == code


def test_split_keeps_every_code_in_training() -> None:
    codes = ["a"] * 10 + ["b"] * 2 + ["c"] + ["d"] * 5
    split = split_by_code(codes)
    train, test = split.train.tolist(), split.test.tolist()
    assert sorted(train + test) == list(range(18))
    assert {codes[row] for row in train} == {"a", "b", "c", "d"}
    assert [codes[row] for row in test] == ["a", "a", "d"]


def test_split_is_decided_by_the_seed() -> None:
    codes = ["a"] * 50
    assert split_by_code(codes, seed=1).test.tolist() == split_by_code(codes, seed=1).test.tolist()
    assert split_by_code(codes, seed=1).test.tolist() != split_by_code(codes, seed=2).test.tolist()


def test_split_never_leaves_a_code_without_training() -> None:
    assert split_by_code(["a", "a"], test_share=0.99).train.size == 1


def test_split_refuses_nonsense() -> None:
    with pytest.raises(ConfigError):
        split_by_code(["a"], test_share=1.0)
    with pytest.raises(DataError):
        split_by_code([])
