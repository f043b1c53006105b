"""Java is found where it lies, by its version, and its absence is a sentence with a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from onaiml_cli.spark import java


def _home(folder: Path, version: str, *, release: bool = True) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture(autouse=True)
def _no_java_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "PLACES", (str(tmp_path / "jvm"),))


@pytest.mark.parametrize(("version", "found"), [("17.0.15", 17), ("21.0.2", 21), ("1.8.0_402", None), ("11.0.1", None)])
@pytest.mark.parametrize("release", [True, False])
def test_only_what_spark_runs_on_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, found: int | None, release: bool
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_home(tmp_path / "java", version, release=release)))
    answer = java.find()
    assert (answer.major if answer else None) == found


def test_java_home_wins_over_path_and_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _home(tmp_path / "jvm" / "java-17", "17.0.1")
    found = java.find()
    assert found is not None
    assert found.home == usual
    onpath = _home(tmp_path / "path-java", "21.0.1")
    monkeypatch.setenv("PATH", str(onpath / "bin"))
    assert java.find() == java.Java(onpath.resolve(), 21)
    mine = _home(tmp_path / "mine", "17.0.9")
    monkeypatch.setenv("JAVA_HOME", str(mine))
    assert java.find() == java.Java(mine, 17)


def test_an_unusable_java_home_does_not_hide_a_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "absent"))
    usual = _home(tmp_path / "jvm" / "java-17", "17.0.1")
    assert java.find() == java.Java(usual, 17)


def test_without_java_the_error_names_the_command() -> None:
    assert java.find() is None
    error = java.missing()
    assert error.exit_code == 3
    assert "apt-get install openjdk-17-jre-headless" in error.hint
