"""`python -m onai.ml.industry`: text in, JSON lines out."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from onai.ml.industry.__main__ import main

TABLE = "sic2007,activity\n" + "".join(
    f"{code},{first} {second}\n"
    for code, words in {"10710": ["bread", "cake", "roll", "bun"], "49320": ["taxi", "cab", "ride", "car"]}.items()
    for first in words
    for second in words
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("industry")
    (folder / "table.csv").write_text(TABLE)
    train = ["train", "--model", str(folder / "model"), "--data", str(folder / "table.csv"), "--epochs", "10"]
    assert main(train) == 0
    return folder


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_train_reports_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    code = main(["train", "--model", str(tmp_path / "m"), "--data", str(tmp_path / "t.csv"), "--epochs", "2"])
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert code == 0
    assert answer["report"]["rows"] == 6
    assert len(answer["id"]) == 64
    assert [line.split(":")[0] for line in err.splitlines()] == ["epoch 1", "epoch 2"]


def test_predict_reads_arguments(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--model", str(trained / "model"), "--top", "1", "warm bread", "a cab"]) == 0
    assert [line["code"] for line in _lines(capsys)] == ["10710", "49320"]
    assert main(["predict", "--model", str(trained / "model"), "--level", "section", "warm bread"]) == 0
    (line,) = _lines(capsys)
    assert line["code"] == "C"


def test_predict_reads_a_file_and_stdin(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (trained / "texts.txt").write_text("bun\n\ntaxi\n")
    assert main(["predict", "--model", str(trained / "model"), "--input", str(trained / "texts.txt")]) == 0
    assert [line["text"] for line in _lines(capsys)] == ["bun", "", "taxi"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("cake\n"))
    assert main(["predict", "--model", str(trained / "model")]) == 0
    assert [line["code"] for line in _lines(capsys)] == ["10710"]


def test_explain_gives_reasons(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--model", str(trained / "model"), "--top", "2", "fresh bun"]) == 0
    (line,) = _lines(capsys)
    assert line["code"] == "10710"
    assert len(line["ngrams"]) == 2  # type: ignore[arg-type]
    assert line["nearest"]


def test_evaluate_reports(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", str(trained / "model"), "--data", str(trained / "table.csv")]) == 0
    (line,) = _lines(capsys)
    assert line["rows"] == 32
    assert line["top_5"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["predict", "--model", "nowhere", "x"], 1, "there is no model folder nowhere"),
        (["train", "--model", "m", "--data", "nowhere.csv"], 2, "cannot be read"),
        (["train", "--model", "m", "--data", "{table}", "--text-column", "nope"], 2, "has no column 'nope'"),
        (["train", "--model", "m", "--data", "{table}", "--epochs", "0"], 2, "epochs"),
        (["train", "--model", "{table}", "--data", "{table}", "--epochs", "1"], 1, "is a file, not a folder"),
        (["predict", "--model", "{model}", "--level", "county", "x"], 2, "no level 'county'"),
        (["predict", "--model", "{model}", "--top", "0", "x"], 2, "k must be at least 1"),
        (["predict", "--model", "{model}", "--input", "nowhere.txt"], 2, "cannot be read"),
    ],
)
def test_faults_are_one_sentence_and_a_code(
    trained: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    places = {"table": str(trained / "table.csv"), "model": str(trained / "model")}
    assert main([argument.format(**places) for argument in arguments]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_runs_as_a_module_and_stops_when_nobody_reads(trained: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "onai.ml.industry", "predict", "--model", str(trained / "model")]
    texts = "bread\n" * 20_000
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdin.write("bread\n" * 600)
        run.stdin.flush()
        assert json.loads(run.stdout.readline())["code"] == "10710"
        run.stdout.close()
        try:
            run.stdin.write(texts)
            run.stdin.close()
        except BrokenPipeError:
            pass
        assert run.stderr.read() == ""
        assert run.wait(timeout=60) == 0
