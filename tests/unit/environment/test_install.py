"""What an installer's last words mean, and which installer is taken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onaiml_cli.core.errors import MissingToolError
from onaiml_cli.environment import install
from onaiml_cli.environment.install import Pip, Uv, choose, explain

LOG = Path("/logs/install.log")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "E_DISK_FULL"),
        ("  Caused by: No space left on device (os error 28)", "E_DISK_FULL"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "E_HASH"),
        ("  ╰─▶ Hash mismatch for `six==1.17.0`", "E_HASH"),
        ("WARNING: 401 Error, Credentials not correct for http://127.0.0.1/simple/six/", "E_INDEX_AUTH"),
        ("ERROR: HTTP error 403 while getting http://127.0.0.1/six.whl", "E_INDEX_AUTH"),
        (
            "could not be queried due to a lack of valid authentication credentials (401 Unauthorized).",
            "E_INDEX_AUTH",
        ),
        ("HTTP status client error (403 Forbidden) for url (http://127.0.0.1/simple/)", "E_INDEX_AUTH"),
        ("Failed to establish a new connection: [Errno 111] Connection refused", "E_INDEX_UNREACHABLE"),
        ("  Caused by: dns error: failed to lookup address information", "E_INDEX_UNREACHABLE"),
        ("  Caused by: invalid peer certificate: UnknownIssuer", "E_INDEX_UNREACHABLE"),
        ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", "E_INDEX_UNREACHABLE"),
        ("ERROR: No matching distribution found for six==1.17.0", "E_NOT_ON_INDEX"),
        ("Because six was not found in the package registry and you require six", "E_NOT_ON_INDEX"),
        ("Because there is no version of six==99 and you require six==99", "E_NOT_ON_INDEX"),
        ("error: Failed building wheel for x", "E_BUILD"),
        ("  × Failed to build `x @ file:///x`", "E_BUILD"),
        ("error: something new", "E_INSTALL"),
    ],
)
def test_the_cause_of_a_failure(line: str, code: str) -> None:
    error = explain(["Downloading x", line, ""], LOG)
    assert error.code == code
    assert str(LOG) in error.hint
    assert error.details["log"][-2] == line


@pytest.mark.parametrize(
    "line",
    [
        "error: something new at 12.401 seconds",
        "Downloading torch-2.401-py3-none-any.whl (401 kB)",
        "Downloaded botocore (14.0MiB) in 401ms",
        "error: x-1.403.tar.gz is strange",
    ],
)
def test_a_number_that_looks_like_a_status_is_none(line: str) -> None:
    assert explain([line], LOG).code == "E_INSTALL"


def test_an_installer_that_says_nothing_is_quoted_as_such() -> None:
    assert explain([], LOG).message == "The installer failed: it printed nothing"
    assert explain(["last words", ""], LOG).message == "The installer failed: last words"


def test_only_the_last_ten_lines_are_passed_on() -> None:
    assert explain([str(number) for number in range(40)], LOG).details["log"] == [str(n) for n in range(30, 40)]


def _tool(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_uv_beside_the_interpreter_is_taken_before_that_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = _tool(tmp_path / "path" / "uv")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert choose("auto") == Uv(on_path)
    beside = _tool(tmp_path / "bin" / "uv")
    assert choose("auto") == choose("uv") == Uv(beside)
    assert choose("pip") == Pip()


def test_without_uv_there_is_pip_unless_uv_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert choose("auto") == Pip()
    with pytest.raises(MissingToolError, match="there is no uv"):
        choose("uv")


def test_the_debian_without_venv_is_told_what_to_type() -> None:
    error = install.missing_venv(Path("/usr/bin/python3"))
    assert (error.code, error.exit_code) == ("E_NO_VENV", 3)
    assert "python3-venv" in error.hint
