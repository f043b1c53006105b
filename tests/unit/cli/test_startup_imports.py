"""What is imported before a command works: a later import at the top of a file must not slow every call down."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import onaiml_cli
from onaiml_cli import cli
from onaiml_cli.__main__ import main
from onaiml_cli.cli.app import app, run
from onaiml_cli.cli.registry import COMMANDS, page

ROOT = Path(__file__).resolve().parents[3]
SDKS = {"boto3", "botocore", "kubernetes", "docker", "pandas", "numpy", "torch", "pyspark", "psutil"}
COMMAND_MODULES = {f"onaiml_cli.cli.{entry.target.partition(':')[0]}" for entry in COMMANDS.values()}

# Says on stderr, after everything else, what was imported; completion leaves by SystemExit.
_REPORT = """\
import sys
try:
    from onaiml_cli.__main__ import main
    main()
finally:
    sys.stdout.flush()
    print("imported:", *sys.modules, file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "0.1.0"\n', encoding="utf-8")
    return tmp_path


def call(folder: Path, *arguments: str, **variables: str) -> tuple[str, set[str]]:
    """What the command line prints on stdout, and the modules that it imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ONAIML_", "COMP_", "_TYPER"))}
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, *arguments],
        env={**kept, "HOME": str(folder), "COLUMNS": "80", **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    _, said, names = done.stderr.rpartition("imported: ")
    assert said, done.stderr
    return done.stdout, set(names.split())


def bash(line: str) -> dict[str, str]:
    words = line.split(" ")
    return {"_ONAIML_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}


def other_shell(shell: str, line: str) -> dict[str, str]:
    return {
        "_ONAIML_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": line.rpartition(" ")[2],
    }


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_imports_nothing(folder: Path, option: str) -> None:
    text, imported = call(folder, option)
    assert text == f"onaiml {onaiml_cli.__version__}\n"
    assert {name for name in imported if name.startswith("onaiml_cli")} == {"onaiml_cli", "onaiml_cli.__main__"}
    assert not imported & {"typer", "rich", "typing", "re"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_imports_no_typer_and_no_command(folder: Path, arguments: list[str]) -> None:
    text, imported = call(folder, *arguments)
    assert text.startswith("Usage: onaiml ")
    assert not imported & (SDKS | COMMAND_MODULES | {"typer", "rich", "pydantic", "typing", "re"})


def test_help_in_a_narrow_terminal_imports_no_command(folder: Path) -> None:
    text, imported = call(folder, "--help", COLUMNS="60")
    assert text.startswith("Usage: onaiml ")
    assert max(len(line) for line in text.splitlines()) <= 58
    assert not imported & (SDKS | COMMAND_MODULES | {"rich", "pydantic"})


@pytest.mark.parametrize(
    ("variables", "answer"),
    [
        (bash("onaiml e"), "env"),
        (bash("onaiml "), "\n".join(COMMANDS)),
        (other_shell("zsh", "onaiml e"), '"env"'),
        (other_shell("fish", "onaiml e"), "env\t"),
        (other_shell("powershell", "onaiml e"), "env:::"),
    ],
    ids=["bash", "bash, all", "zsh", "fish", "powershell"],
)
def test_completion_of_a_command_imports_none(folder: Path, variables: dict[str, str], answer: str) -> None:
    text, imported = call(folder, **variables)
    assert answer in text
    assert not imported & (SDKS | COMMAND_MODULES | {"pydantic"})


@pytest.mark.parametrize("line", ["onaiml env ", "onaiml env st", "onaiml env status --"])
def test_completion_below_a_command_imports_no_other_command(folder: Path, line: str) -> None:
    text, imported = call(folder, **bash(line))
    assert text.split()
    assert not imported & (SDKS | COMMAND_MODULES - {"onaiml_cli.cli.env"} | {"rich", "pydantic"})


def test_a_command_without_values_does_not_pay_for_pydantic(folder: Path) -> None:
    text, imported = call(folder, "config", "show")
    assert "workspace.provider" in text
    assert not imported & (SDKS | {"pydantic", "rich"})


def test_a_value_is_still_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["env", "logs", "--lines", "many"]) == 2
    assert "'--lines'" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["80", "81", "200"])
def test_the_page_is_the_one_that_typer_prints(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(["--help"]) == 0
    assert page() == capsys.readouterr().out


def test_a_narrow_terminal_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "79")
    assert page() is None


@pytest.mark.parametrize("columns", ["80", "79"])
def test_no_argument_prints_the_page_and_is_an_error_of_usage(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", ["onaiml"])
    monkeypatch.delenv("_ONAIML_COMPLETE", raising=False)
    assert main() == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("Usage: onaiml [OPTIONS] COMMAND")
    assert printed.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_line_of_the_table_leads_to_a_command(name: str) -> None:
    built = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert built.name == name
    assert built.get_help(typer.Context(built, info_name=name)).startswith(f"Usage: {name}")


def test_every_application_is_in_the_table() -> None:
    files = [path for path in Path(cli.__path__[0]).glob("*.py") if path.name != "app.py"]
    applications = {path.stem for path in files if "\napp = " in path.read_text(encoding="utf-8")}
    assert {f"onaiml_cli.cli.{name}" for name in applications} == COMMAND_MODULES


def test_a_group_of_one_command_stays_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: onaiml config show ")


def test_the_version_is_the_one_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert onaiml_cli.__version__ == project["version"]
