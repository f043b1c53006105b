"""What a test does when a part of the testbed is absent: skip with the command that brings it, or fail in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(part: str) -> NoReturn:
    """Skip for want of `part`; with ONAIML_REQUIRE_TESTBED set a missing part is a failure."""
    sentence = f"needs {part}: run `make testbed` as root"
    if os.environ.get("ONAIML_REQUIRE_TESTBED"):
        pytest.fail(sentence)
    pytest.skip(sentence)
