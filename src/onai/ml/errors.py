"""The errors of the model library: one small tree, so that a caller catches one name.

    MLError
    ├── DataError          rows, files or columns that cannot be used
    │   └── UnknownCodeError   a code that the taxonomy does not hold
    ├── NotFittedError     a model asked to work before `fit`
    ├── ConfigError        a hyperparameter out of range
    └── ArtifactError      a saved model that is incomplete, changed or not ours

It is a tree of its own because the library runs where the command line is not installed (a Spark executor, a
training container). Every error carries `hint`: what to do next, in one sentence.
"""

from __future__ import annotations


class MLError(Exception):
    """Root of the tree. `str(error)` is the message; `error.hint` says what to do next (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DataError(MLError, ValueError):
    """Input that cannot be used. A `ValueError` too: numeric Python reports bad values that way."""


class UnknownCodeError(DataError):
    """A code outside the taxonomy."""


class NotFittedError(MLError, RuntimeError):
    """`predict`, `evaluate`, `explain` or `save` before `fit`."""


class ConfigError(MLError, ValueError):
    """A hyperparameter that does not exist or is out of range."""


class ArtifactError(MLError):
    """A model folder that is incomplete, was changed after it was written, or has an unknown format."""
