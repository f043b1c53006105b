"""The tree of errors: codes, exit codes, and what the operating system's words become."""

from __future__ import annotations

import errno
import json

import pytest

from onaiml_cli.core import errors
from onaiml_cli.core.errors import Cancelled, LockError, OnaimlError, from_os_error

EXIT_CODES = {
    "UsageError": 2,
    "ConfigError": 2,
    "PreflightError": 3,
    "ProjectError": 3,
    "LockError": 3,
    "DriftError": 3,
    "MissingToolError": 3,
    "AuthError": 4,
    "RemoteError": 5,
    "UnknownOutcomeError": 6,
    "WorkFailedError": 1,
    "LocalSystemError": 1,
    "Cancelled": 130,
}


def _tree(top: type[OnaimlError] = OnaimlError) -> list[type[OnaimlError]]:
    found = [branch for branch in top.__subclasses__() if branch.__module__ == errors.__name__]
    return found + [leaf for branch in found for leaf in _tree(branch)]


def test_each_class_has_the_exit_code_of_the_design() -> None:
    assert {kind.__name__: kind.exit_code for kind in _tree()} == EXIT_CODES


def test_each_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in _tree()]
    assert sorted(set(codes)) == sorted(codes)
    assert all(code.startswith("E_") for code in codes)


def test_the_docstring_draws_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    for name, code in EXIT_CODES.items():
        assert name in errors.__doc__
        assert f"({code})" in errors.__doc__


def test_an_error_without_extras_shows_only_code_message_and_hint() -> None:
    assert LockError("No lock.", hint="poetry lock").as_dict() == {
        "code": "E_LOCK",
        "message": "No lock.",
        "hint": "poetry lock",
    }


def test_an_error_shows_that_it_is_retryable_and_its_details() -> None:
    error = OnaimlError("x", code="E_OTHER", retryable=True, details={"log": ["a"]})
    assert error.as_dict() == {
        "code": "E_OTHER",
        "message": "x",
        "hint": "",
        "retryable": True,
        "details": {"log": ["a"]},
    }
    assert json.loads(json.dumps(error.as_dict())) == error.as_dict()


def test_a_code_given_to_one_error_does_not_leak_into_the_class() -> None:
    OnaimlError("x", code="E_OTHER", retryable=True)
    assert OnaimlError("y").code == "E_FAILED"
    assert not OnaimlError("y").retryable


def test_cancelled_says_how_to_go_on() -> None:
    assert Cancelled().hint == "Run the same command again to go on."


@pytest.mark.parametrize(
    ("number", "code", "retryable"),
    [
        (errno.ENOSPC, "E_DISK_FULL", True),
        (errno.EDQUOT, "E_DISK_FULL", True),
        (errno.EACCES, "E_PERMISSION", False),
        (errno.EPERM, "E_PERMISSION", False),
        (errno.EROFS, "E_READ_ONLY", False),
        (errno.EMFILE, "E_TOO_MANY_FILES", False),
        (errno.ENFILE, "E_TOO_MANY_FILES", False),
        (errno.EISDIR, "E_SYSTEM", False),
    ],
)
def test_what_the_operating_system_said(number: int, code: str, retryable: bool) -> None:
    error = from_os_error(OSError(number, "its words", "/some/file"))
    assert (error.code, error.retryable, error.exit_code) == (code, retryable, 1)
    assert error.hint
    if code != "E_TOO_MANY_FILES":
        assert "/some/file" in error.message


def test_an_error_without_number_or_file_still_reads_well() -> None:
    assert from_os_error(OSError("strange")).message == "strange."
    assert from_os_error(OSError(errno.ENOSPC, "full")).message == "No space is left on the disk while writing a file."
