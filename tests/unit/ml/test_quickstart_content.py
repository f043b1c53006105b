"""The quickstart notebook as a file: valid, clean and at home on any machine. That it runs is tested elsewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    found: nbformat.NotebookNode = nbformat.reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    return found


def _code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_is_a_valid_notebook_for_our_kernel(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.kernelspec.display_name == "Python (onaiml)"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_carries_no_output(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_holds_no_path_or_address_of_a_machine(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        assert not re.search(r"(?<![\w.])/(?:root|home|work|tmp|Users|mnt)\b|[A-Z]:\\\\|https?://", cell.source)


def test_first_cell_reloads_edited_modules(notebook: nbformat.NotebookNode) -> None:
    assert _code(notebook)[0].splitlines()[:2] == ["%load_ext autoreload", "%autoreload 2"]


def test_every_cell_is_python_and_imports_only_what_the_extras_bring(notebook: nbformat.NotebookNode) -> None:
    found: set[str] = set()
    for source in _code(notebook):
        tree = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith("%")))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).split(".")[0])
    assert found == {"tempfile", "pathlib", "matplotlib", "IPython", "onai"}


def test_the_reader_has_a_line_to_edit(notebook: nbformat.NotebookNode) -> None:
    assert any(re.match(r'description = "[^"]+"\n\nclassify\(description\)$', source) for source in _code(notebook))
    assert any("def classify(" in source for source in _code(notebook))
