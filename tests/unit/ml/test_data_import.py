"""Importing the official file in the shapes it comes in, and the ones it should not come in."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

from onai.ml.data import load_companies
from onai.ml.data.__main__ import main
from onai.ml.data.imports import import_table
from onai.ml.errors import DataError

PLAIN = "SIC 2007,Activity\n01110,Barley growing\n10110,Abattoir\n62012,Software development\n"


def _file(tmp_path: Path, text: str | bytes, name: str = "index.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _rows(folder: Path) -> list[list[str]]:
    with open(folder / "uksic2007_index.csv", newline="", encoding="utf-8") as source:
        return list(csv.reader(source))


def test_writes_a_normalised_table_and_its_source(tmp_path: Path) -> None:
    path = _file(tmp_path, PLAIN)
    report = import_table(path, tmp_path / "out", date="2026-01-31")
    assert _rows(tmp_path / "out") == [
        ["sic2007", "sic2003", "activity", "section"],
        ["01110", "", "Barley growing", "A"],
        ["10110", "", "Abattoir", "C"],
        ["62012", "", "Software development", "J"],
    ]
    source = json.loads((tmp_path / "out" / "SOURCE.json").read_text())
    assert source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() == report.sha256
    assert (source["licence"], source["imported"]) == ("Open Government Licence v3.0", "2026-01-31")
    assert source["publisher"] == "Office for National Statistics"
    assert (report.rows, report.codes, report.rejects) == (3, 3, ())
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["SOURCE.json", "uksic2007_index.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "Alphabetical index\n© Crown copyright\n\nActivity;UK SIC 2007\nBarley growing;01.11/0\nAbattoir;10.11/0\n",
        "code;activity;note\n01110;Barley growing;wheat, rye, oats\n10110;Abattoir;beef, pork, lamb, veal\n",
        "x\ty\nBarley growing\t1110\nAbattoir\t10110\n",
        "01110,Barley growing\n10110,Abattoir\n",
        "Section,Code,Description\nA,1110.0,Barley  growing \nC,10110.0,Abattoir\n",
        "\ufeffSIC2003,SIC2007,Activity\n40110,01110,Barley growing\n15111,10110,Abattoir\n",
        "SIC 2003,SIC 2007,Activity\n10200,01110,Barley growing\n15111,10110,Abattoir\n",
    ],
)
def test_finds_header_columns_and_codes_by_content(tmp_path: Path, text: str) -> None:
    import_table(_file(tmp_path, text), tmp_path / "out")
    assert [(row[0], row[2]) for row in _rows(tmp_path / "out")[1:]] == [
        ("01110", "Barley growing"),
        ("10110", "Abattoir"),
    ]


def test_keeps_the_older_code(tmp_path: Path) -> None:
    text = "SIC 2007,SIC 2003,Activity\n01110,01110,Barley growing\n10110,15111,Abattoir\n35110,40110,Power station\n"
    import_table(_file(tmp_path, text), tmp_path / "out")
    assert [row[1] for row in _rows(tmp_path / "out")[1:]] == ["01110", "15111", "40110"]


def test_reads_a_windows_encoding(tmp_path: Path) -> None:
    import_table(_file(tmp_path, "code,text\n56102,Café – bar\n".encode("cp1252")), tmp_path / "out")
    assert _rows(tmp_path / "out")[1][2] == "Café – bar"


def test_refused_rows_are_named_and_the_others_kept(tmp_path: Path) -> None:
    text = PLAIN + "34100,Car making\n,Nothing\n47110,\n47110,123\n10110,ABATTOIR\n62011," + "long " * 300 + "\n\n"
    report = import_table(_file(tmp_path, text), tmp_path / "out")
    assert report.rows == 3
    assert [(reject.line, reject.reason) for reject in report.rejects] == [
        (5, "'34100' is not a five-digit UK SIC 2007 code"),
        (6, "no code"),
        (7, "no activity text"),
        (8, "no activity text"),
        (9, "the same code and activity as line 3"),
        (10, "the activity is longer than 1000 characters"),
    ]


def test_classes_are_not_taken_for_codes_without_their_zero(tmp_path: Path) -> None:
    report = import_table(_file(tmp_path, PLAIN + "1110,Growing of something\n"), tmp_path / "out")
    assert [reject.reason for reject in report.rejects] == ["'1110' is not a five-digit UK SIC 2007 code"]


def test_reads_the_right_sheet_of_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl: install the notebook extra")
    book = openpyxl.Workbook()
    book.active.append(["Notes", "read me"])
    sheet = book.create_sheet("Index")
    sheet_rows: list[list[object]] = [["UK SIC 2007 index"], [], ["SIC 2007", "SIC 2003", "Activity"]]
    sheet_rows += [[1110, 1110, "Barley growing"], ["10110", "15111", "Abattoir"], [62012.0, 72220, "Software"]]
    for row in sheet_rows:
        sheet.append(row)
    book.save(tmp_path / "index.xlsx")
    report = import_table(tmp_path / "index.xlsx", tmp_path / "out")
    assert report.rows == 3
    assert [row[0] for row in _rows(tmp_path / "out")[1:]] == ["01110", "10110", "62012"]


def test_the_import_is_what_is_loaded_next(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    import_table(_file(tmp_path, PLAIN), tmp_path / "onaiml" / "data" / "uksic2007")
    data = load_companies(environ)
    assert data.codes == ("01110", "10110", "62012")
    assert "Office for National Statistics" in data.attribution


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"PK\x03\x04 not a zip", "not a readable xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "old Excel file"),
        (b"\x7fELF\0\0\0", "neither csv nor xlsx"),
        (b"a,b\n1,2\n", "no column of UK SIC 2007 codes"),
        (b"code\n01110\n", "no column of UK SIC 2007 codes"),
        (b"hello", "no column of UK SIC 2007 codes"),
        (b"01110,12\n10110,a\n".replace(b"a", b""), "no column of UK SIC 2007 codes"),
        (b'"' + b"x" * 200_000 + b'",b\n', "not a csv file"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        import_table(_file(tmp_path, content), tmp_path / "out")
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_bad_file_leaves_the_last_import_alone(tmp_path: Path) -> None:
    import_table(_file(tmp_path, PLAIN), tmp_path / "out")
    before = (tmp_path / "out" / "uksic2007_index.csv").read_bytes()
    with pytest.raises(DataError):
        import_table(_file(tmp_path, "nothing"), tmp_path / "out")
    assert (tmp_path / "out" / "uksic2007_index.csv").read_bytes() == before


def test_unusable_places(tmp_path: Path) -> None:
    path = _file(tmp_path, PLAIN)
    with pytest.raises(DataError, match="cannot write"):
        import_table(path, path / "below")
    with pytest.raises(DataError, match="there is no file"):
        import_table(tmp_path / "none.csv", tmp_path)
    with pytest.raises(DataError, match="no importer for 'naics'"):
        import_table(path, tmp_path, taxonomy="naics")


def test_command_imports_to_the_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["import", str(_file(tmp_path, PLAIN + ",none\n")), "--json", "--date", "2026-01-31"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert (answer["ok"], answer["rows"], answer["rejects"]) == (True, 3, [{"line": 5, "reason": "no code"}])
    assert err.splitlines()[1:] == ["1 rows refused:", "  line 5: no code"]
    assert (tmp_path / "onaiml" / "data" / "uksic2007" / "SOURCE.json").is_file()


def test_command_refuses_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none.csv"), "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["hint"] == "Check the path of the file you downloaded."
    assert err.startswith("error: there is no file")
    with pytest.raises(SystemExit) as caught:
        main(["import", "x", "--taxonomy", "naics"])
    assert caught.value.code == 2
