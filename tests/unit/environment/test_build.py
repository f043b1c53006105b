"""`python -m onaiml_cli.environment.build`: how a checkout comes to life. Real builds: tests/contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from onaiml_cli.environment import build
from tests.conftest import MakeProject
from tests.small import Pin, somebody_else


def test_an_error_is_told_with_its_exit_code_and_nothing_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(tmp_path) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: No project here")


def test_a_folder_that_may_not_be_entered_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with somebody_else() as folder:
        (folder / "closed").mkdir(mode=0)
        code = build.main(folder / "closed" / "repo")
    shown = capsys.readouterr()
    assert shown.err.startswith("Error: ")
    assert (code, shown.out) in ((1, ""), (3, ""))


def test_ctrl_c_is_130(
    project: MakeProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "virtualenv", interrupted)
    assert build.main(project(Pin("first")).root) == 130
    assert capsys.readouterr().err.startswith("Stopped: ")
