"""Writes the generated parts of docs/: the settings, the commands and the errors, each from its source.

A table kept by hand is wrong after the next change; these are read from the code itself, and a test runs `--check`.
Each part lies between two markers in its page, so that the words around it stay hand-written.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.main import get_command

from onaiml_cli.cli.app import app, run
from onaiml_cli.core.config import KEYS, Value, variable

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "onaiml_cli"
_CODE = re.compile(r"E_[A-Z][A-Z_]*")
# What stands for a part of a message that is only known when it is printed.
_HOLE = "…"


# Settings


def _shown(value: Value, kind: str) -> str:
    if kind == "duration":
        seconds = int(float(str(value)))
        return f"`{seconds // 60}m`" if seconds and seconds % 60 == 0 else f"`{seconds}s`"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value) or "none"
    return f"`{value}`" if value != "" else "none"


def settings() -> str:
    """The table of every key of the configuration."""
    lines = ["| key and variable | kind | default | what it is |", "|---|---|---|---|"]
    for name, key in KEYS.items():
        choices = f" One of {', '.join(f'`{choice}`' for choice in key.choices)}." if key.choices else ""
        cells = (f"`{name}`<br>`{variable(name)}`", key.kind, _shown(key.default, key.kind), f"{key.help}{choices}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


# Commands


def paths() -> Iterator[tuple[str, ...]]:
    """The words of every group and command, parents first."""

    def walk(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, child in (getattr(command, "commands", None) or {}).items():
            yield from walk(child, (*words, name))

    return walk(get_command(app), ())


def _help(words: tuple[str, ...]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = run([*words, "--help"])
    if code:
        raise RuntimeError(f"onaiml {' '.join(words)} --help ended with {code}")
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def commands() -> str:
    """Every command's own help."""
    # The width of the help follows the terminal; the page must not.
    os.environ["COLUMNS"] = "80"
    parts = []
    for words in paths():
        heading = "#" * (2 if len(words) < 2 else 3)
        parts.append(f"{heading} onaiml {' '.join(words)}".rstrip() + f"\n\n```text\n{_help(words)}\n```")
    return "\n\n".join(parts)


# Errors


@dataclass(frozen=True)
class Kind:
    """One class of the error tree."""

    name: str
    code: str
    exit_code: int
    says: str


@dataclass(frozen=True)
class Raised:
    """One place in the source that makes an error."""

    kind: Kind
    code: str
    message: str
    hint: str


def kinds() -> dict[str, Kind]:
    """The classes of core/errors.py by name, what they do not say themselves taken from their parents."""
    found: dict[str, Kind] = {}
    for node in ast.parse((SOURCES / "core" / "errors.py").read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        parent = next((found[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in found), None)
        own = {
            target.id: part.value.value
            for part in node.body
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant)
            for target in part.targets
            if isinstance(target, ast.Name)
        }
        code = own.get("code", parent.code if parent else "")
        exit_code = own.get("exit_code", parent.exit_code if parent else 1)
        says = (ast.get_docstring(node) or "").splitlines()[0]
        found[node.name] = Kind(node.name, str(code), int(str(exit_code)), says)
    return found


def _text(node: ast.expr | None, names: Mapping[str, str]) -> str:
    """The words of an expression, with a hole for each part that is only known at run time."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, names) for part in parts)
        case ast.FormattedValue(value=ast.Name(id=name)) if name in names:
            return names[name]
        case ast.Name(id=name):
            return names.get(name, _HOLE)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, names) + _text(right, names)
        case ast.IfExp(body=body):
            return _text(body, names)
        case ast.Call(args=arguments):
            inner = [_text(argument, names) for argument in arguments]
            return next((text for text in inner if text.strip(_HOLE)), _HOLE)
        case None:
            return ""
        case _:
            return _HOLE


def raised_in(source: str, known: Mapping[str, Kind]) -> list[Raised]:
    """Every error that a module makes.

    A code is the keyword `code`, else the class's own. Where the keyword is a variable, the module holds a table of
    causes: each of its tuples that ends in a code is an error of that class.
    """
    tree = ast.parse(source)
    names = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found, from_table = [], None
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known):
            continue
        kind = known[node.func.id]
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        code = keywords.get("code")
        if isinstance(code, ast.Name):
            from_table = kind
            continue
        message = _text(node.args[0], names) if node.args else ""
        found.append(Raised(kind, _text(code, names) or kind.code, message, _text(keywords.get("hint"), names)))
    for node in ast.walk(tree) if from_table else ():
        if isinstance(node, ast.Tuple) and node.elts and _CODE.fullmatch(_text(node.elts[-1], {})):
            words = [part.value for part in node.elts if isinstance(part, ast.Constant)]
            message, hint, code_text = (str(word) for word in words)
            found.append(Raised(from_table or known["OnaimlError"], code_text, message, hint))
    return found


def every_error() -> list[Raised]:
    """All errors of the command line, without repetitions, by exit code and code."""
    known = kinds()
    found: dict[Raised, None] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        found.update(dict.fromkeys(raised_in(path.read_text(encoding="utf-8"), known)))
    for kind in known.values():
        if not any(item.code == kind.code for item in found) and kind.name != "OnaimlError":
            found[Raised(kind, kind.code, "", "")] = None
    return sorted(found, key=lambda item: (item.kind.exit_code, item.code, item.kind.name))


def _sentence(item: Raised) -> str:
    message = item.message if item.message.strip(f"{_HOLE} ") else f"*{item.kind.says}*"
    hint = f" → {item.hint}" if item.hint.strip(f"{_HOLE} ") else ""
    return f"- {message}{hint}".replace("<", "&lt;")


def errors() -> str:
    """A table of every code, then each with what it says and what it asks to do."""
    found = every_error()
    by_code: dict[str, list[Raised]] = {}
    for item in found:
        by_code.setdefault(item.code, []).append(item)
    lines = ["| code | class | exit code |", "|---|---|---|"]
    sections = []
    for code, items in by_code.items():
        classes = ", ".join(f"`{name}`" for name in dict.fromkeys(item.kind.name for item in items))
        exits = ", ".join(str(number) for number in dict.fromkeys(item.kind.exit_code for item in items))
        lines.append(f"| [`{code}`](#{code.lower()}) | {classes} | {exits} |")
        says = "\n".join(dict.fromkeys(_sentence(item) for item in items))
        sections.append(f"## {code}\n\n{classes}, exit code {exits}\n\n{says}")
    return "\n".join(lines) + "\n\n" + "\n\n".join(sections)


PARTS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "config.md": ("settings", settings),
    "commands.md": ("commands", commands),
    "errors.md": ("errors", errors),
}


def filled(page: str, name: str, text: str) -> str:
    """The page with the part `name` replaced. Raises ValueError when it does not hold the two markers."""
    begin, end = f"<!-- begin generated: {name} -->\n", f"\n<!-- end generated: {name} -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the markers of the part {name!r} are missing")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def main() -> int:
    """Write the pages, or with --check say which are out of date; the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated parts of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is out of date")
    options = parser.parse_args()
    stale = []
    for file, (name, make) in PARTS.items():
        path = ROOT / "docs" / file
        page = path.read_text(encoding="utf-8")
        new = filled(page, name, make())
        if new == page:
            continue
        stale.append(file)
        if not options.check:
            path.write_text(new, encoding="utf-8")
    for file in stale:
        state = "is out of date; run `python scripts/docs_generate.py`" if options.check else "was written"
        sys.stderr.write(f"docs/{file} {state}\n")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
