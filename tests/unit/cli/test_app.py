"""The root: wrong words end in one sentence with what to type next, and in exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onaiml_cli.cli.app import run


def test_an_unknown_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evn", "up"]) == 2
    assert capsys.readouterr().err == (
        "Error: There is no command `evn`.\n  → Did you mean `onaiml env`? `onaiml --help` lists them all.\n"
    )


def test_a_far_off_command_is_answered_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["qqqqqq"]) == 2
    assert capsys.readouterr().err == "Error: There is no command `qqqqqq`.\n  → `onaiml --help` lists them all.\n"


def test_an_unknown_subcommand_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "staus"]) == 2
    said = capsys.readouterr().err
    assert "No such command 'staus'" in said
    assert "'status'" in said
    assert "`onaiml env --help` shows how." in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["env", "up", "--prot", "1"], "--port"),
        (["env", "up", "--port", "many"], "'--port'"),
        (["env", "logs", "-n", "-3"], "greater than or equal to 0"),
        (["env", "ide"], "'editor'"),
        (["env", "exec"], "COMMAND"),
    ],
)
def test_wrong_options_end_in_one_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], words: list[str], part: str
) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert part in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 2


@pytest.mark.parametrize("words", [[], ["env"], ["env", "up"], ["test"], ["spark", "connect"]])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_a_short_form_everywhere(capsys: pytest.CaptureFixture[str], words: list[str], option: str) -> None:
    assert run([*words, option]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: {' '.join(['onaiml', *words])} ")
    assert "-h, --help" in out


def test_a_group_without_a_command_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env"]) == 2
    assert "Bring the workspace up" in capsys.readouterr().out


def test_common_options_may_stand_before_the_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.onaiml.profiles.team]\nspark.cores = 7\n")
    monkeypatch.chdir(tmp_path)
    for words in (["--json", "--profile", "team"], ["--profile=team", "--json"]):
        assert run([*words, "config", "show", "spark.cores"]) == 0
        assert json.loads(capsys.readouterr().out)["settings"]["spark.cores"]["value"] == 7
    # Nothing of one call stays for the next.
    assert run(["config", "show", "spark.cores", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["spark.cores"]["value"] == 0
    assert run(["--profile"]) == 2
