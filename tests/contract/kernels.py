"""A kernel of a person's workspace, driven as a notebook drives it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_client.manager import KernelManager

from tests.contract.workspaces import Person


@dataclass
class Kernel:
    """A running kernel."""

    client: Any
    manager: Any

    def run(self, code: str, *, timeout: float = 180) -> tuple[str, str]:
        """Run a cell: its reply's status, and everything it printed, displayed or complained."""
        words = []

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            words.append(content.get("text") or content.get("evalue") or "")
            words.append(content.get("data", {}).get("text/plain", ""))

        reply = self.client.execute_interactive(code, timeout=timeout, output_hook=collect)
        return reply["content"]["status"], "".join(words)

    def value(self, expression: str) -> str:
        """The text of an expression; fails when the cell fails."""
        status, said = self.run(expression)
        assert status == "ok", said
        return said


@contextlib.contextmanager
def kernel(person: Person, name: str, **environ: str) -> Iterator[Kernel]:
    """Start a kernel by the name of its spec, with the specs and variables of a person's JupyterLab."""
    [folder] = (person.state / "onaiml" / "workspaces").glob("*/jupyter")
    variables = {**person.environ, "JUPYTER_PATH": str(folder), **environ}
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(folder)
    sockets = tempfile.mkdtemp(prefix="kernel-")
    try:
        # Files instead of ports, which ipykernel does not warn about: absolute, since client and kernel have their own
        # working folders, and short, since the name of a socket has at most 107 bytes.
        manager = KernelManager(kernel_name=name, transport="ipc", ip=f"{sockets}/k")
        manager.start_kernel(env=variables, cwd=str(person.root))
    finally:
        if before is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = before
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=90)
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        shutil.rmtree(sockets)
