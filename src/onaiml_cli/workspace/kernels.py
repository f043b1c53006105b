"""Kernel specs of a workspace: the locked Python and PySpark, in a folder that only this workspace's Jupyter sees.

The first is named `python3`, the name that most notebooks carry, so any notebook opens in the locked environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from onaiml_cli.core.state import write_atomic

_RELOAD = ["--IPKernelApp.exec_lines=%load_ext autoreload", "--IPKernelApp.exec_lines=%autoreload 2"]


def specs(python: Path, *, root: Path, startup: Path, spark: bool) -> Mapping[str, str]:
    """The kernel.json texts, by spec name.

    Args:
        python: interpreter of the environment.
        root: of the project, where the PySpark kernel asks the command line for a server.
        startup: the script that opens the Spark session.
        spark: whether the environment holds pyspark.
    """
    launch = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # Another project's leftovers must not shadow the locked packages.
    variables = {"PYTHONNOUSERSITE": "1"}
    found = {"python3": _spec("Python (onaiml)", [*launch, *_RELOAD], variables)}
    if spark:
        command = json.dumps([sys.executable, "-m", "onaiml_cli"])
        asks = {**variables, "ONAIML_CLI": command, "ONAIML_ROOT": str(root)}
        found["pyspark"] = _spec("PySpark", [*launch, *_RELOAD, f"--IPKernelApp.exec_files={startup}"], asks)
    return found


def _spec(display_name: str, argv: list[str], env: Mapping[str, str]) -> str:
    document = {
        "argv": argv,
        "display_name": display_name,
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True},
        "env": dict(env),
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def outdated(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Names of specs below `folder` that are absent or say something else."""
    stale = []
    for name, text in wanted.items():
        path = folder / "kernels" / name / "kernel.json"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    return stale


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write every spec, each whole or not at all."""
    for name, text in wanted.items():
        write_atomic(folder / "kernels" / name / "kernel.json", text)


def title(text: str) -> str:
    """The display name in a kernel.json text."""
    return str(json.loads(text)["display_name"])
