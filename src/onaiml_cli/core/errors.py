"""The one tree of errors a person can meet, so that each has a stable code, an exit code and a next step.

OnaimlError
 ├── UsageError (2)             the command line is wrong
 │    └── ConfigError           a config file, variable or option is wrong
 ├── PreflightError (3)         refused before anything was changed or spent
 │    ├── ProjectError          no project, or a broken pyproject.toml
 │    ├── LockError             no lock, a broken lock, a lock that does not match
 │    ├── DriftError            the place does not hold what the lock says
 │    └── MissingToolError      a program is needed that is not here
 ├── AuthError (4)              not logged in, or no longer
 ├── RemoteError (5)            the other side failed
 ├── UnknownOutcomeError (6)    it may have happened; nobody knows yet
 ├── WorkFailedError (1)        the work was done and failed (tests, a kernel, an install)
 │    └── LocalSystemError      this machine refused: disk full, no permission, no port
 └── Cancelled (130)            the person said stop
"""

from __future__ import annotations

import errno
from typing import Any


class OnaimlError(Exception):
    """An error with a code, a sentence and what to type next.

    Attributes:
        code: stable identifier, `E_...`; documented under docs/errors.
        message: one sentence that says what is wrong.
        hint: what to type or do next.
        exit_code: the exit status of the process.
        retryable: whether the same command may succeed unchanged later.
        details: further facts for `--json`.
    """

    code = "E_FAILED"
    exit_code = 1
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str | None = None,
        retryable: bool | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or {}
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable

    def as_dict(self) -> dict[str, Any]:
        """The `error` object of `--json`."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.retryable:
            shown["retryable"] = True
        if self.details:
            shown["details"] = self.details
        return shown


class UsageError(OnaimlError):
    """The command line is wrong."""

    code = "E_USAGE"
    exit_code = 2


class ConfigError(UsageError):
    """A config file, variable or option holds something that cannot be used."""

    code = "E_CONFIG"


class PreflightError(OnaimlError):
    """Refused before anything was changed or spent."""

    code = "E_PREFLIGHT"
    exit_code = 3


class ProjectError(PreflightError):
    """There is no project here, or its pyproject.toml cannot be read."""

    code = "E_PROJECT"


class LockError(PreflightError):
    """There is no lock, it is broken, or it does not match pyproject.toml."""

    code = "E_LOCK"


class DriftError(PreflightError):
    """A place does not hold what the lock says."""

    code = "E_DRIFT"


class MissingToolError(PreflightError):
    """A program is needed that this machine does not have."""

    code = "E_TOOL"


class AuthError(OnaimlError):
    """Not logged in, or no longer."""

    code = "E_AUTH"
    exit_code = 4


class RemoteError(OnaimlError):
    """The other side failed."""

    code = "E_REMOTE"
    exit_code = 5


class UnknownOutcomeError(OnaimlError):
    """It may have happened; nobody knows until it is looked up."""

    code = "E_UNKNOWN_OUTCOME"
    exit_code = 6


class WorkFailedError(OnaimlError):
    """The work was done and failed."""

    code = "E_FAILED"


class LocalSystemError(WorkFailedError):
    """This machine refused."""

    code = "E_SYSTEM"


class Cancelled(OnaimlError):
    """The person said stop."""

    code = "E_CANCELLED"
    exit_code = 130

    def __init__(self, message: str = "Stopped.", *, hint: str = "Run the same command again to go on.") -> None:
        super().__init__(message, hint=hint)


def from_os_error(error: OSError) -> LocalSystemError:
    """Turn what the operating system said into a sentence with a next step."""
    where = error.filename or "a file"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return LocalSystemError(
                f"No space is left on the disk while writing {where}.",
                hint="Free some space (`df -h` shows where), then run the same command again.",
                code="E_DISK_FULL",
                retryable=True,
            )
        case errno.EACCES | errno.EPERM:
            return LocalSystemError(
                f"No permission for {where}.",
                hint=f"Check its owner with `ls -ld {where}`, or set XDG_STATE_HOME and XDG_DATA_HOME.",
                code="E_PERMISSION",
            )
        case errno.EROFS:
            return LocalSystemError(
                f"{where} lies on a read-only file system.",
                hint="Choose another place with XDG_STATE_HOME and XDG_DATA_HOME.",
                code="E_READ_ONLY",
            )
        case errno.EMFILE | errno.ENFILE:
            return LocalSystemError(
                "Too many files are open.", hint="Raise the limit with `ulimit -n 4096`.", code="E_TOO_MANY_FILES"
            )
        case _:
            reason = error.strerror or str(error)
            return LocalSystemError(
                f"{reason}: {where}." if error.filename else f"{reason}.",
                hint="Run again with --debug for the full report.",
            )
