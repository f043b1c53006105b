"""Writing results: raw numbers beside the benchmarks, tables between two markers of docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
RAW = Path(__file__).resolve().parent / "results"

_START = """\
# Benchmarks

Every number on this page was written by the run that measured it: `make bench` measures again and rewrites the page.
The raw samples are in `benchmarks/results`.
"""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """A Markdown table; columns of figures, all but the first, are set right."""
    rule = "|---|" + ("---:|" if figures else "---|") * (len(columns) - 1)
    return "\n".join([_row(columns), rule, *(_row(row) for row in rows)])


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the section of this name, or add it at the end; the words around it stay."""
    begin, end = f"<!-- begin generated: {name} -->", f"<!-- end generated: {name} -->"
    before = page.read_text(encoding="utf-8") if page.is_file() else _START
    section = f"{begin}\n\n{text.strip()}\n\n{end}"
    if begin in before and end in before:
        head, _, rest = before.partition(begin)
        _, _, tail = rest.partition(end)
        after = head + section + tail
    else:
        after = f"{before.rstrip()}\n\n{section}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(after, encoding="utf-8")


def write_raw(name: str, result: Mapping[str, object]) -> None:
    """Keep the samples themselves."""
    RAW.mkdir(exist_ok=True)
    (RAW / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
