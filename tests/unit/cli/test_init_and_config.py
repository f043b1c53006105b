"""`onaiml init` and `onaiml config show`: exact output, and nothing of a person's overwritten."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from onaiml_cli.cli.app import run

PYPROJECT = """\
[project]
name = "scores"
version = "1.2"
[project.optional-dependencies]
ml = ["numpy"]
[dependency-groups]
notebook = ["jupyterlab"]
[tool.poetry.group.test.dependencies]
pytest = "*"
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_takes_what_pyproject_declares(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 0
    assert (repo / "onaiml.toml").read_text() == (
        "# Configuration of onaiml; `onaiml config show --origin` lists every key.\n\n"
        '[environment]\nextras = ["ml"]\ngroups = ["notebook", "test"]\n'
    )
    said = capsys.readouterr().err
    assert f"✓ Wrote {repo}/onaiml.toml." in said
    assert "`poetry lock`" in said


def test_init_takes_options_and_its_file_is_read_back(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--extras", "a, b", "--groups", "", "--port", "9000"]) == 0
    assert tomllib.loads((repo / "onaiml.toml").read_text()) == {
        "environment": {"extras": ["a", "b"], "groups": []},
        "workspace": {"port": 9000},
    }
    capsys.readouterr()
    assert run(["config", "show", "workspace.port", "--origin", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["settings"]["workspace.port"]
    assert (shown["value"], shown["origin"]) == (9000, "onaiml.toml")


def test_init_overwrites_nothing_unless_forced(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "onaiml.toml").write_text("# mine\n")
    assert run(["init"]) == 2
    assert "there already" in capsys.readouterr().err
    assert (repo / "onaiml.toml").read_text() == "# mine\n"
    assert run(["init", "--force"]) == 0
    assert "# mine" not in (repo / "onaiml.toml").read_text()


def test_init_leaves_a_table_in_pyproject_alone(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repo / "pyproject.toml").write_text(f"{PYPROJECT}[tool.onaiml]\nprofile = 'local'\n")
    assert run(["init"]) == 2
    assert "[tool.onaiml]" in capsys.readouterr().err
    assert not (repo / "onaiml.toml").exists()


def test_init_refuses_a_name_that_would_break_the_file(repo: Path) -> None:
    assert run(["init", "--extras", 'a"b']) == 2
    assert not (repo / "onaiml.toml").exists()


def test_init_in_an_empty_folder_makes_it_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert run(["config", "show"]) == 3
    assert "onaiml init" in capsys.readouterr().err
    assert run(["init"]) == 0
    assert run(["config", "show"]) == 0


def test_config_show_says_where_each_value_comes_from(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repo / "garden.env").write_text("ns=jane-doe\n")
    (repo / "onaiml.toml").write_text("[workspace]\nport = 9001\n")
    monkeypatch.setenv("ONAIML_SPARK_CORES", "3")
    assert run(["config", "show", "--origin"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["KEY"] == ["KEY", "VALUE", "ORIGIN", "VARIABLE"]
    assert lines["namespace"][1:3] == ["jane-doe", "garden.env"]
    assert lines["workspace.port"] == ["workspace.port", "9001", "onaiml.toml", "ONAIML_WORKSPACE_PORT"]
    assert lines["spark.cores"][1:3] == ["3", "ONAIML_SPARK_CORES"]
    assert lines["protected"][1:3] == ["pyspark", "default"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[workspace]\nprot = 1\n", "Did you mean `workspace.port`?"),
        ("[workspace\n", "onaiml.toml is not valid TOML"),
        ("[workspace]\nport = 'many'\n", "a whole number is expected"),
        ("profile = 'taem'\n[profiles.team]\n", "Did you mean `team`?"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(
    repo: Path, capsys: pytest.CaptureFixture[str], text: str, part: str
) -> None:
    (repo / "onaiml.toml").write_text(text)
    assert run(["config", "show"]) in (2, 3)
    said = capsys.readouterr().err
    assert part in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 2


def test_a_misspelt_setting_is_answered_with_the_nearest(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "workspace.prt"]) == 2
    assert "Did you mean `workspace.port`?" in capsys.readouterr().err
