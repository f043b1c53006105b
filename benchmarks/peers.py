"""The command lines that onaiml is measured beside, each from PyPI into a virtual environment of its own.

They live in the cache folder of the user, so that a second run finds them there; delete the folder to get newer ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# They ask nobody: usage reports are off, and a proxy that is not there takes what would leave this machine.
QUIET = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_PAGER": "",
    "DO_NOT_TRACK": "1",
    "METAFLOW_DEFAULT_METADATA": "local",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
    "ALL_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "localhost,127.0.0.1",
}


@dataclass(frozen=True)
class Call:
    """One way to call a command line.

    Attributes:
        words: its arguments.
        shows: what the answer has to contain.
        status: the exit status that it is known to have.
        variables: further variables of its environment.
        program: another program of the same distribution.
    """

    words: Sequence[str]
    shows: str
    status: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    program: str = ""


@dataclass(frozen=True)
class Peer:
    """A command line, what is installed for it, and how it is asked for the same things as ours."""

    name: str
    requirement: str
    calls: Mapping[str, Call]


def click_completion(name: str, instruction: str, line: str, shows: str, *, status: int = 0) -> Call:
    """How bash asks a program of Click or Typer; bash joins the words with the first sign of IFS, a line's end."""
    words = line.split(" ")
    variables = {
        f"_{name.upper()}_COMPLETE": instruction,
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    return Call([], shows, status, variables)


def _completer(line: str, shows: str) -> Call:
    return Call([], shows, variables={"COMP_LINE": line, "COMP_POINT": str(len(line))}, program="aws_completer")


def _argcomplete(line: str, shows: str) -> Call:
    variables = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    return Call([], shows, variables={**variables, "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout"})


PEERS = (
    Peer(
        "aws",
        "awscli",
        {
            "version": Call(["--version"], "aws-cli/"),
            "help": Call(["help"], "AWS()"),
            "group": Call(["s3", "help"], "S3()"),
            "first": _completer("aws e", "ec2"),
            "second": _completer("aws s3 ", "sync"),
        },
    ),
    Peer(
        "sky",
        "skypilot[aws]",
        {
            "version": Call(["--version"], "version"),
            "help": Call(["--help"], "Usage: sky"),
            "group": Call(["jobs", "--help"], "Usage: sky jobs"),
            "first": click_completion("sky", "bash_complete", "sky e", "exec"),
            "second": click_completion("sky", "bash_complete", "sky jobs ", "launch"),
        },
    ),
    Peer(
        "dstack",
        "dstack",
        {
            "version": Call(["--version"], "."),
            "help": Call(["--help"], "Usage: dstack"),
            "group": Call(["fleet", "--help"], "Usage: dstack fleet"),
            "first": _argcomplete("dstack e", "event"),
            "second": _argcomplete("dstack fleet ", "delete"),
        },
    ),
    Peer(
        "metaflow",
        "metaflow",
        {
            # It has no `--version`, and says so.
            "version": Call(["--version"], "Usage: metaflow", status=2),
            "help": Call(["--help"], "Usage: metaflow"),
            "group": Call(["configure", "--help"], "Usage: metaflow configure"),
            # Its Click answers, and ends with 1.
            "first": click_completion("metaflow", "complete", "metaflow c", "configure", status=1),
            "second": click_completion("metaflow", "complete", "metaflow configure ", "aws", status=1),
        },
    ),
    Peer(
        "mlflow",
        "mlflow",
        {
            "version": Call(["--version"], "version"),
            "help": Call(["--help"], "Usage: mlflow"),
            "group": Call(["experiments", "--help"], "Usage: mlflow experiments"),
            "first": click_completion("mlflow", "bash_complete", "mlflow e", "experiments"),
            "second": click_completion("mlflow", "bash_complete", "mlflow experiments ", "create"),
        },
    ),
)


@dataclass(frozen=True)
class Installed:
    """A peer that is here, or the reason why it is not."""

    peer: Peer
    programs: Path
    version: str = ""
    why_not: str = ""


def cache() -> Path:
    """The folder of all benchmarks, outside the repo."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "onaiml" / "benchmarks"


def install(peer: Peer) -> Installed:
    """Install it unless it is there; never raises: one that cannot be had is reported as such."""
    folder = cache() / peer.name
    try:
        if not (folder / "bin" / peer.name).is_file():
            _into(folder, peer.requirement)
        version = _version(folder, peer.requirement.partition("[")[0])
    except (subprocess.SubprocessError, OSError) as problem:
        return Installed(peer, folder, why_not=f"cannot be installed ({type(problem).__name__})")
    return Installed(peer, folder / "bin", version)


def install_ours(source: Path) -> Path:
    """Install this tree as the peers are, each time anew: an edit of a source does not change what is being measured.

    Raises CalledProcessError.
    """
    folder = cache() / "onaiml"
    _into(folder, str(source), "--refresh-package", "onaiml")
    return folder / "bin"


def _into(folder: Path, requirement: str, *options: str) -> None:
    here = Path(sys.executable).parent
    uv = shutil.which("uv", path=f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}") or "uv"
    interpreter = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    _run(uv, "venv", "--quiet", "--clear", "--python", interpreter, str(folder))
    _run(uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *options, requirement)


def _version(folder: Path, distribution: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return _run(str(folder / "bin" / "python"), "-c", code).strip()


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=900).stdout
