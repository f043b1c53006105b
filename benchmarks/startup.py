"""What it costs to start: the pages of help, the version, completion, and the way to a command's first own work."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.measure import Candidate, Samples, commit, in_turns, load, machine
from benchmarks.peers import PEERS, QUIET, Call, Installed, cache, click_completion, install, install_ours
from onaiml_cli import __version__

US = "onaiml"
FLOOR = "python -c pass"

OURS: Mapping[str, Call] = {
    "version": Call(["--version"], __version__),
    "help": Call(["--help"], "Usage: onaiml"),
    "group": Call(["env", "--help"], "Usage: onaiml env"),
    "first": click_completion(US, "complete_bash", "onaiml e", "env"),
    "second": click_completion(US, "complete_bash", "onaiml env ", "status"),
}

TITLES = {
    "version": "The version: `onaiml --version`",
    "help": "The first page of help: `onaiml --help`",
    "group": "The page of a group: `onaiml env --help`",
    "first": "Completion of a first word: `onaiml e<TAB>`",
    "second": "Completion of a second word: `onaiml env <TAB>`",
}

# Goes the console script's way, and ends where the command's own function would begin.
_PROBE = """\
import os
from onaiml_cli.__main__ import main
from onaiml_cli.cli import command
command.execute = lambda session, work: (os.write(1, b"entered"), os._exit(0))
main()
"""

# CPU milliseconds, and `--help` as a share of sky's.
VERSION_TARGET, HELP_TARGET, ENTRY_TARGET, SKY_SHARE = 30.0, 110.0, 350.0, 0.1

_COLUMNS = ("", "CPU median ms", "CPU minimum ms", "wall median ms", "wall minimum ms", "CPU, times ours")

_METHOD = """\
CPU time is user and system time of the process and of the children it waited for; wall time stands beside it. A run
counts only if it ends with its known exit status and prints what it was asked for. Each peer comes from PyPI, onaiml
from this tree, into a virtual environment of its own. The peers have an empty home and send nothing. All of them find
their modules compiled by the run that warms up. `aws help` draws a manual page; metaflow has no `--version`.
"""

_OWN_WORK = """\
Until the command's own function begins: the interpreter, the imports, the command line parsed. `--profile local` shows
what a value costs: Typer imports pydantic to check it. `env status` to its end asks the running workspace and compares
its environment with the lock. The peers have no counterpart that needs no server.
"""


@dataclass(frozen=True)
class Setting:
    """Where everything runs: with variables of its own instead of this session's, in a small project."""

    scratch: Path
    programs: Path

    @property
    def project(self) -> Path:
        return self.scratch / "project"

    def prepare(self) -> None:
        self.project.mkdir()
        (self.project / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "0.1.0"\n')
        (self.scratch / "home").mkdir()

    def variables(self, *, live: bool = False) -> dict[str, str]:
        """The environment; `live` keeps the real home, through which the running workspace is found."""
        plain = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.scratch / "home"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            # All read compiled modules from here, whether or not their installer left any.
            "PYTHONPYCACHEPREFIX": str(cache() / "pycache"),
            **QUIET,
        }
        kept = {key: value for key, value in os.environ.items() if key == "HOME" or key.startswith("XDG_")}
        return {**plain, **kept} if live else plain

    def call(self, name: str, call: Call, programs: Path, why_not: str = "") -> Candidate:
        argv = [str(programs / (call.program or name)), *call.words]
        variables = {**self.variables(), **call.variables}
        return Candidate(name, argv, variables, self.project, call.shows, call.status, why_not)

    def ours(self, call: Call) -> Candidate:
        return self.call(US, call, self.programs)

    def floor(self) -> Candidate:
        return Candidate(FLOOR, [str(self.programs / "python"), "-c", "pass"], self.variables(), self.project, "")

    def probe(self, words: Sequence[str], *, live: bool = False) -> Candidate:
        name = f"`onaiml {' '.join(words)}`, to its first own work"
        folder = report.ROOT if live else self.project
        return Candidate(
            name, [str(self.programs / "python"), "-c", _PROBE, *words], self.variables(live=live), folder, "entered"
        )

    def whole(self, words: Sequence[str], shows: str, *, live: bool = False) -> Candidate:
        folder = report.ROOT if live else self.project
        name = f"`onaiml {' '.join(words)}`, to its end"
        return Candidate(name, [str(self.programs / US), *words], self.variables(live=live), folder, shows)


def own_work(setting: Setting) -> list[Candidate]:
    """Commands of ours, up to the first line of their own and to their end."""
    return [
        setting.probe(["config", "show", "--json"]),
        # A value makes Typer import pydantic.
        setting.probe(["config", "show", "--profile", "local"]),
        setting.probe(["env", "status"], live=True),
        setting.probe(["spark", "status"], live=True),
        setting.probe(["test"], live=True),
        setting.whole(["config", "show", "--json"], '"ok": true'),
        setting.whole(["env", "status"], "onaiml: up", live=True),
        setting.floor(),
    ]


def run(repetitions: int) -> int:
    """Measure everything and write the section; 1 when something of ours did not run."""
    programs = install_ours(report.ROOT)
    peers = [install(peer) for peer in PEERS]
    before, state = load(), commit(report.ROOT)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), programs)
        setting.prepare()
        found: dict[str, dict[str, Samples]] = {}
        for case in OURS:
            others = [setting.call(it.peer.name, it.peer.calls[case], it.programs, it.why_not) for it in peers]
            found[case] = in_turns([setting.ours(OURS[case]), *others, setting.floor()], repetitions)
            print(f"{case}: measured", file=sys.stderr)
        found["own"] = in_turns(own_work(setting), repetitions)
    facts = {
        **machine(),
        "load before / after": f"{before} and {load()} (1 / 5 / 15 minutes)",
        "repetitions": f"{repetitions}, after one to warm up, the candidates in turns",
        "versions": ", ".join(
            [f"onaiml {__version__} ({state})", *(f"{it.peer.name} {it.version}" for it in peers if it.version)]
        ),
    }
    report.write_raw("startup", {"facts": facts, "samples": _plain(found)})
    report.write_section("startup", "\n\n".join(_section(found, facts, peers)))
    return int(any(samples.why_not for name, samples in _all(found) if name.strip("`").startswith(US)))


def _section(
    found: Mapping[str, Mapping[str, Samples]], facts: Mapping[str, str], peers: Sequence[Installed]
) -> Iterator[str]:
    yield "## Start-up"
    yield _METHOD.strip()
    yield report.table(("what", "value"), [(key, value) for key, value in facts.items()], figures=False)
    missing = [f"{it.peer.name}: {it.why_not}" for it in peers if it.why_not]
    if missing:
        yield f"Not run: {'; '.join(missing)}."
    yield "### Targets"
    yield report.table(("target", "measured", "met"), _targets(found), figures=False)
    for case, title in TITLES.items():
        yield f"### {title}"
        yield report.table(_COLUMNS, _rows(found[case], found[case][US]))
        yield _who_wins(found[case])
    yield "### A command's first own work"
    yield _OWN_WORK.strip()
    yield report.table(_COLUMNS[:-1], [row[:-1] for row in _rows(found["own"], None)])


def _targets(found: Mapping[str, Mapping[str, Samples]]) -> Iterator[tuple[str, str, str]]:
    def line(what: str, samples: Samples, target: float) -> tuple[str, str, str]:
        label = f"{what}, median CPU ≤ {target:.0f} ms"
        if samples.why_not:
            return label, f"not run: {samples.why_not}", "no"
        return label, f"{samples.cpu_median:.1f} ms", _yes(samples.cpu_median <= target)

    yield line("`--version`", found["version"][US], VERSION_TARGET)
    yield line("`--help`", found["help"][US], HELP_TARGET)
    ours, sky = found["help"][US], found["help"]["sky"]
    if ours.why_not or sky.why_not:
        yield f"`--help` ≤ {SKY_SHARE} of `sky --help`", "not run", "no"
    else:
        share = ours.cpu_median / sky.cpu_median
        yield f"`--help` ≤ {SKY_SHARE} of `sky --help`", f"{share:.3f}", _yes(share <= SKY_SHARE)
    for name, samples in found["own"].items():
        if "first own work" in name:
            yield line(name, samples, ENTRY_TARGET)


def _rows(found: Mapping[str, Samples], ours: Samples | None) -> Iterator[tuple[str, ...]]:
    for name, samples in found.items():
        if samples.why_not:
            yield (name, f"not run: {samples.why_not}", "", "", "", "")
            continue
        share = f"{samples.cpu_median / ours.cpu_median:.2f}" if ours is not None and not ours.why_not else ""
        figures = (samples.cpu_median, min(samples.cpu), samples.wall_median, min(samples.wall))
        yield (name, *(f"{figure:.1f}" for figure in figures), share)


def _who_wins(found: Mapping[str, Samples]) -> str:
    ours = found[US]
    if ours.why_not:
        return ""
    faster = [
        name
        for name, samples in found.items()
        if name not in (US, FLOOR) and not samples.why_not and samples.cpu_median < ours.cpu_median
    ]
    return f"Faster than onaiml here: {', '.join(faster) if faster else 'none of the peers'}."


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"


def _all(found: Mapping[str, Mapping[str, Samples]]) -> Iterator[tuple[str, Samples]]:
    for case in found.values():
        yield from case.items()


def _plain(found: Mapping[str, Mapping[str, Samples]]) -> dict[str, object]:
    return {case: {name: samples.as_dict() for name, samples in rows.items()} for case, rows in found.items()}
