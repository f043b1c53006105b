"""A damaged poetry.lock is always a LockError: never another exception, never a smaller environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onaiml_cli.core.errors import LockError
from onaiml_cli.core.project import Project
from onaiml_cli.environment.lock import LockedPackage, check_fresh, parse
from tests.small import Pin, content_hash, lock_text

PYPROJECT = {"project": {"name": "small", "requires-python": ">=3.11"}}
PROJECT = Project(Path("/nowhere"), "small", "1", PYPROJECT)
MARKERS = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.1"}
PINS = (
    Pin("first", markers='extra == "x"'),
    Pin("second", groups=("main", "test"), markers={"main": 'extra == "x"', "test": 'sys_platform == "linux"'}),
    Pin("drei-ü", "1.0+é", hashes=("sha256:" + "a" * 64, "sha256:" + "b" * 64)),
)
WHOLE = lock_text(*PINS, extras={"x": ["first"]}, hashed=content_hash(PYPROJECT)).encode()


def _read(content: bytes) -> tuple[LockedPackage, ...]:
    """What every command does with a lock."""
    check_fresh(PROJECT, content)
    return parse(content).select(extras=["x"], groups=["test"], markers=MARKERS)


def test_the_whole_lock_is_one() -> None:
    assert [package.name for package in _read(WHOLE)] == ["drei-ü", "first", "second"]


def _refusal(content: bytes) -> LockError | None:
    """Why this lock is refused; None when it is read. Any other exception fails the test."""
    try:
        _read(content)
    except LockError as error:
        return error
    return None


def test_cut_off_after_any_byte() -> None:
    whole = _read(WHOLE)
    for length in range(len(WHOLE)):
        error = _refusal(WHOLE[:length])
        if error is None:
            assert _read(WHOLE[:length]) == whole
        else:
            assert error.code in {"E_LOCK_BROKEN", "E_LOCK_STALE", "E_LOCK_VERSION", "E_LOCK_SELECTION"}


@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=8))
@example(0, b"\xef\xbb\xbf")
def test_cut_off_with_rubbish_at_the_end(length: int, rubbish: bytes) -> None:
    """What a torn disk leaves: the beginning, then anything."""
    error = _refusal(WHOLE[:length] + rubbish)
    assert error is None or error.hint


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_one_byte_changed(place: int, value: int) -> None:
    error = _refusal(WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :])
    assert error is None or error.hint


@given(st.binary(max_size=200))
def test_anything_at_all(content: bytes) -> None:
    with pytest.raises(LockError) as caught:
        parse(content)
    assert caught.value.code in {"E_LOCK_BROKEN", "E_LOCK_VERSION"}


MARKER = st.recursive(
    st.builds(
        "{} {} {!r}".format,
        st.sampled_from(["extra", "sys_platform", "python_version"]),
        st.sampled_from(["==", "!="]),
        st.sampled_from(["a", "b", "linux", "3.11"]),
    ),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=6,
)


@given(MARKER, st.frozensets(st.sampled_from(["a", "b", "linux"])))
def test_markers_hold_as_python_would_say(marker: str, extras: frozenset[str]) -> None:
    """Each comparison with an extra asks whether it is among those chosen; the rest is equality of text."""
    truth = re.sub(r"extra == ('[^']*')", r"(\1 in extras)", marker)
    truth = re.sub(r"extra != ('[^']*')", r"(\1 not in extras)", truth)
    variables = {"sys_platform": "linux", "python_version": "3.11", "extras": extras}
    expected = eval(truth, {"__builtins__": {}}, variables)
    lock = parse(lock_text(Pin("x", markers=marker), extras={"a": [], "b": [], "linux": []}).encode())
    found = lock.select(extras=extras, groups=(), markers=MARKERS)
    assert bool(found) is bool(expected)
