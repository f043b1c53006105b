"""Whatever lies in a state file, reading it gives a document, nothing, or the one error about newer versions."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from onaiml_cli.core.errors import LocalSystemError
from onaiml_cli.core.state import Store, write_atomic

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.text().filter(lambda key: key != "schema"), JSON, max_size=5)


@given(DOCUMENTS)
def test_what_was_written_is_read(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), schema=2)
        store.write("a", document)
        assert store.read("a") == {**document, "schema": 2}


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"schema": 1e999}')
@example(b'{"schema": -1}')
@example(b'{"schema": true}')
@example(b"[" * 100_000)
@example(b'{"schema": NaN}')
def test_anything_at_all_can_be_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), schema=1)
        store.path("a").write_bytes(content)
        try:
            document = store.read("a")
        except LocalSystemError as error:
            document = {"schema": error.code}
        if document is None:
            assert (Path(folder) / "a.broken").read_bytes() == content
        else:
            assert document["schema"] in (1, "E_STATE_NEWER")
            assert store.path("a").read_bytes() == content


@given(DOCUMENTS, st.integers(0, 200))
def test_a_document_cut_off_anywhere_is_whole_or_put_aside(document: dict[str, Any], length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.write("a", document)
        content = store.path("a").read_bytes()
        store.path("a").write_bytes(content[:length])
        whole = content[:length].strip() == content.strip()
        assert (store.read("a") is not None) is whole


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_last_text_written_is_the_text(old: str, new: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        write_atomic(path, old)
        write_atomic(path, new)
        assert path.read_bytes() == new.encode()
        assert [entry.name for entry in Path(folder).iterdir()] == ["a"]
