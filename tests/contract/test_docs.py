"""The documentation, held to what the program does: generated parts, links, and every command block.

A command that a page shows is typed here as a person would type it, in order and page by page: in a throw-away project
with folders of its own or, on pages that say `run in: repository`, in this repo with an empty state folder. Nothing is
built or started: what stays running has other tests, and its blocks are in ASIDE with the reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.contract.workspaces import REPO, own_data_home

DOCS = REPO / "docs"
PAGES = [REPO / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted(DOCS.glob("*.md"))

# Commands that are shown and not run here, and why.
ASIDE = {
    "make up": "starts JupyterLab; tests/fresh runs it on a bare machine",
    "make test": "runs this very file; tests/fresh runs it on a bare machine",
    "make down": "ends the workspace of whoever runs the tests; tests/fresh runs it",
    "make shell": "waits for a person",
    "make format": "rewrites the sources",
    'make unit PYTEST_ARG="tests/unit -k fingerprint"': "pytest in pytest",
    "onaiml test": "runs the whole suite; tests/contract/test_workspace_use.py runs it on a small one",
    "onaiml test tests/unit -- -k normalise -x": "pytest in pytest",
    "onaiml data import FILE": "needs a file that a person downloads; the library's tests import one",
    "onaiml spark connect --holder $$ --json": "starts Spark; the tests of the PySpark kernel do",
    "poetry lock": "Poetry is not in the environment, and it asks the network",
}

# Commands that a hint of the program names and that do not exist yet; nothing else may name them.
PLANNED = {"onaiml deps"}


@dataclass(frozen=True)
class Block:
    """A fenced block and the comments right above it."""

    info: str
    lines: tuple[str, ...]
    notes: dict[str, str]
    where: str

    def steps(self) -> Iterator[tuple[str, list[str]]]:
        """Each command with the output that the page shows below it."""
        command, shown = "", list[str]()
        for line in self.lines:
            if line.startswith("$ "):
                if command:
                    yield command, shown
                command, shown = line[2:], []
            else:
                shown.append(line)
        if command:
            yield command, shown


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    found: list[Block] = []
    notes: dict[str, str] = {}
    inside: list[str] | None = None
    info = fence = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        opened = re.fullmatch(r"(`{3,})(.*)", line)
        if inside is not None:
            if line == fence:
                found.append(Block(info, tuple(inside), notes, f"{page.name}:{number - len(inside)}"))
                notes, inside = {}, None
            else:
                inside.append(line)
        elif opened:
            fence, info, inside = opened[1], opened[2].strip(), []
        elif note := re.fullmatch(r"<!-- ([a-z ]+): (.*) -->", line):
            notes[note[1]] = note[2]
        elif line:
            notes = {}
    assert inside is None, f"{page.name}: a block is not closed"
    return tuple(found)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.info.split()[:1] == ["console"]]


# The throw-away project

_PYPROJECT = """\
[project]
name = "example"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["ipykernel", "jupyterlab"]

[tool.poetry]
package-mode = false
"""


def small_project(folder: Path) -> Path:
    """A project that could be brought up if the hashes in its lock were those of real files."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(_PYPROJECT, encoding="utf-8")
    content = {
        "project": {"requires-python": ">=3.11", "dependencies": ["ipykernel", "jupyterlab"]},
        "tool": {"poetry": {}},
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    parts = [
        f'[[package]]\nname = "{name}"\nversion = "1.0"\noptional = false\npython-versions = "*"\ngroups = ["main"]\n'
        f'files = [{{file = "{name}-1.0-py3-none-any.whl", hash = "sha256:{"0" * 64}"}}]\n'
        for name in ("ipykernel", "jupyterlab")
    ]
    parts.append(f'[metadata]\nlock-version = "2.1"\npython-versions = ">=3.11"\ncontent-hash = "{digest}"\n')
    (folder / "poetry.lock").write_text("\n".join(parts), encoding="utf-8")
    return folder


@contextlib.contextmanager
def taken(port: str | None) -> Iterator[None]:
    """Keep a port busy; when somebody else does already, that is as good."""
    with contextlib.ExitStack() as stack:
        if port is not None:
            listener = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", int(port)))
                listener.listen()
        yield


def environ(state: Path, data: Path, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONAIML_")}
    programs = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    folders = {"XDG_STATE_HOME": str(state), "XDG_DATA_HOME": str(data), "HOME": str(home)}
    return {**kept, **folders, "PATH": programs, "NO_COLOR": "1", "COLUMNS": "80"}


def matches(shown: str, printed: str) -> bool:
    """Whether a line is as shown, where `...` stands for any text."""
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), printed) is not None


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    here = "<!-- run in: repository -->" in page.read_text(encoding="utf-8")
    folder = REPO if here else small_project(tmp_path / "example")
    (tmp_path / "home").mkdir()
    variables = environ(
        tmp_path / "state", own_data_home(tmp_path / "data") if here else tmp_path / "data", tmp_path / "home"
    )

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    for block in runnable(page):
        if "with" in block.notes:
            prepared = run(block.notes["with"])
            assert prepared.returncode == 0, f"{block.where}: {prepared.stdout}"
        with taken(block.notes.get("taken port")):
            for command, shown in block.steps():
                ran = run(command)
                told = f"{block.where}: $ {command}\n{ran.stdout}"
                assert ran.returncode == int(block.notes.get("exit", "0")), told
                if "exact" not in block.info.split():
                    continue
                printed = [line.rstrip() for line in ran.stdout.splitlines()]
                assert len(printed) == len(shown), told
                wrong = [line for line, real in zip(shown, printed, strict=True) if not matches(line, real)]
                assert not wrong, f"{told}\nThe page shows: {wrong}"


def test_every_command_that_is_not_run_is_set_aside_with_a_reason() -> None:
    shown = {line for page in PAGES for block in blocks(page) if block.info in ("sh", "bash") for line in block.lines}
    assert {line for line in shown if line and not line.startswith("#")} == set(ASIDE)


# What pages say about the program


# A benchmark names what was typed before the TAB of a completion.
TYPED = [page for page in PAGES if page.name != "benchmarks.md"]


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_every_command_and_target_that_a_page_names_exists(page: Path) -> None:
    headings = re.findall(r"^##+ (onaiml.*)$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    groups = {name.rpartition(" ")[0] for name in headings}
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPO / "Makefile").read_text(), re.MULTILINE))
    quoted = re.findall(r"`((?:onaiml|make)\b[^`]*)`", prose(page))
    quoted += [line.removeprefix("$ ") for block in blocks(page) for line in block.lines]
    for text in quoted:
        if words := re.match(r"onaiml((?: [a-z]+)*)", text):
            # Arguments follow a command, and a group is followed by one of its commands.
            named = ["onaiml", *words[1].split()]
            depth = next((count for count in range(1, len(named)) if " ".join(named[:count]) not in groups), len(named))
            path = " ".join(named[:depth])
            assert path in headings or path in PLANNED, f"{page.name}: `{text}` is no command"
        elif target := re.match(r"make (?:[A-Z]+=\S+ )*([a-z-]+)", text):
            assert target[1] in targets, f"{page.name}: `{text}` is no target"


def test_generated_parts_are_current() -> None:
    check = [sys.executable, str(REPO / "scripts" / "docs_generate.py"), "--check"]
    ran = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


# Links


class _Links(HTMLParser):
    """What a built page points to, what it loads by itself, and the places that one can point to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if "src" in given:
            self.loaded.append(given["src"])
        if "href" in given:
            fetched = tag == "link" and given.get("rel") not in ("canonical", "next", "prev")
            (self.loaded if fetched else self.links).append(given["href"])


def _read(path: Path) -> _Links:
    links = _Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of mkdocs is an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ran = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_every_link_and_image_of_the_site_resolves(site: Path) -> None:
    pages = {path: _read(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) >= len(list(DOCS.glob("*.md")))
    broken = []
    for path, links in pages.items():
        for address in (*links.links, *links.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                broken.append(f"{path.relative_to(site)}: {address}")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{path.relative_to(site)}: {address} (no such place)")
    assert not broken


def test_every_block_of_the_site_is_rendered(site: Path) -> None:
    shown = {path.parent.name: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert not [name for name, text in shown.items() if "```" in text]
    assert not [name for name, text in shown.items() if re.search("<!-- [a-z ]+:", text)]


def test_a_page_of_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {address for path in site.rglob("*.html") for address in _read(path).loaded}
    assert not [address for address in loaded if urlsplit(address).netloc]
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"url\(\s*['\"]?https?:", styles)


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == REPO], ids=lambda page: page.name)
def test_every_link_of_a_page_outside_the_site_resolves(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    local = [unquote(urlsplit(target).path) for target in targets if not urlsplit(target).scheme]
    assert not [target for target in local if target and not (REPO / target).exists()]


def test_nothing_private_is_in_the_pages() -> None:
    """No path of the machine that wrote them, no host of a mirror."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(rf"{re.escape(str(REPO))}|/root/|/home/\w|/tmp/\w", text), page.name
        # Not the hosts of code that the pages quote: these are all names of the public web.
        hosts = {urlsplit(address).hostname for address in re.findall(r"https?://[^\s)\]`>]+", text)}
        assert hosts <= {"127.0.0.1", "keepachangelog.com", "semver.org", "www.conventionalcommits.org"}, page.name


def test_the_small_project_has_a_lock_that_is_accepted(tmp_path: Path) -> None:
    """The pages about broken locks say something only if this one is whole."""
    folder = small_project(tmp_path / "example")
    shutil.copytree(folder, tmp_path / "copy")
    code = "import pathlib, onaiml_cli.core.project as p, onaiml_cli.environment.lock as lock\n"
    code += "project = p.load_project(pathlib.Path.cwd())\nlock.check_fresh(project, lock.lock_bytes(project))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "copy", check=False, timeout=30)
    assert ran.returncode == 0
